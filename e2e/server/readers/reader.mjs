// Reads a stream with Node's fetch, and prints the data of each event.
const headers = { Authorization: "Bearer " + process.env.TOKEN };
for (;;) {
  try {
    const response = await fetch(process.argv[2], { headers });
    if (!response.ok) throw new Error("status " + response.status);
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
