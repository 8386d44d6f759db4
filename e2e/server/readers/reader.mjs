// Reads a stream with Node's fetch, and prints the data of each event. fetch asks for gzip by itself. The second
// argument is the encoding that the stream must have, gzip or identity.
const [url, encoding] = process.argv.slice(2);
const headers = { Authorization: "Bearer " + process.env.TOKEN };
if (encoding === "identity") headers["Accept-Encoding"] = "identity";
for (;;) {
  try {
    const response = await fetch(url, { headers });
    if (!response.ok) throw new Error("status " + response.status);
    if ((response.headers.get("content-encoding") ?? "identity") !== encoding) {
      console.error("the stream does not have the encoding " + encoding);
      process.exit(1);
    }
    let rest = "";
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith("id: ")) headers["Last-Event-ID"] = line.slice(4);
        if (line.startsWith("data: ")) console.log(line.slice(6));
      }
    }
  } catch (error) {
    console.error(String(error));
  }
  await new Promise((done) => setTimeout(done, 200));
}
