// Verifies signed webhooks with the two libraries for Node, by the secret that the last line of standard input has.
// It answers 204, or 400 with the reason if any of them refuses. Standard output has its port, then each new secret.
const http = require("node:http")
const readline = require("node:readline")
const standardwebhooks = require("standardwebhooks")
const svix = require("svix")

let verifiers = []

const server = http.createServer((request, response) => {
  const pieces = []
  request.on("data", (piece) => pieces.push(piece))
  request.on("end", () => {
    const body = Buffer.concat(pieces).toString("utf8")
    try {
      for (const verifier of verifiers) verifier.verify(body, request.headers)
      response.writeHead(204).end()
    } catch (error) {
      response.writeHead(400).end(String(error))
    }
  })
})

readline.createInterface({ input: process.stdin }).on("line", (secret) => {
  verifiers = [new standardwebhooks.Webhook(secret), new svix.Webhook(secret)]
  console.log(secret)
}).on("close", () => process.exit())

server.listen(0, "127.0.0.1", () => console.log(server.address().port))
