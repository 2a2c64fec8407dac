// Receives calls with sipgate's own library. Standard output has its port, then each event as the library gives it.
// With "newCall" as its argument it asks neither for answers nor for ends.
const { createWebhookModule } = require("sipgateio")

// We cannot sign as sipgate does.
const options = { port: 0, hostname: "127.0.0.1", serverAddress: "unknown", skipSignatureVerification: true }

createWebhookModule().createServer(options).then((server) => {
  const print = (event) => console.log(JSON.stringify(event))
  const { port } = server.getHttpServer().address()
  options.serverAddress = `http://127.0.0.1:${port}/calls`
  server.onNewCall(print)
  if (process.argv[2] !== "newCall") {
    server.onAnswer(print)
    server.onHangUp(print)
  }
  console.log(port)
})

process.stdin.resume().on("end", () => process.exit())
