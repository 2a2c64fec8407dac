// Checks the signature as Placetel's documentation computes it: HMAC with SHA-256 of the posted text, in hex. Standard
// output has its port; the secret is the argument. It answers 200, or 403 to another signature.
const crypto = require("node:crypto")
const http = require("node:http")

const server = http.createServer((request, response) => {
  const pieces = []
  request.on("data", (piece) => pieces.push(piece))
  request.on("end", () => {
    const expected = crypto.createHmac("sha256", process.argv[2]).update(Buffer.concat(pieces)).digest("hex")
    response.writeHead(request.headers["x-placetel-signature"] === expected ? 200 : 403).end()
  })
})

server.listen(0, "127.0.0.1", () => console.log(server.address().port))
process.stdin.resume().on("end", () => process.exit())
