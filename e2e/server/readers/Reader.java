import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.Iterator;

/** Reads a stream with Java's HttpClient, and prints the data of each event. */
class Reader {
    public static void main(String[] args) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        String last = "";
        while (true) {
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(args[0]))
                .header("Authorization", "Bearer " + System.getenv("TOKEN"));
            if (!last.isEmpty()) request.header("Last-Event-ID", last);
            try (var lines = client.send(request.build(), BodyHandlers.ofLines()).body()) {
                for (Iterator<String> each = lines.iterator(); each.hasNext();) {
                    String line = each.next();
                    if (line.startsWith("id: ")) last = line.substring(4);
                    if (line.startsWith("data: ")) System.out.println(line.substring(6));
                }
            } catch (Exception error) {
                System.err.println(error);
            }
            Thread.sleep(200);
        }
    }
}
