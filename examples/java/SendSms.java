// Sends an SMS with the Java SDK 9 (com.vonage:server-sdk), in plain HTTP.
//
// Voice, Video, Users: `.applicationId(...)` and `.privateKeyPath("placeholder.key")` at the builder, with any RSA key.

import com.vonage.client.HttpConfig;
import com.vonage.client.VonageClient;
import com.vonage.client.sms.messages.TextMessage;

public class SendSms {
    public static void main(String[] arguments) {
        String sidecar = System.getenv().getOrDefault("VONAGE_SIDECAR", "http://localhost:8787");
        VonageClient vonage = VonageClient.builder()
                .apiKey("abcd1234")
                .apiSecret("placeholder")
                .httpConfig(HttpConfig.builder().baseUri(sidecar).build())
                .build();
        var sent = vonage.getSmsClient().submitMessage(new TextMessage("Acme", "447700900000", "Hello from Java"));
        System.out.println("status " + sent.getMessages().get(0).getStatus());
    }
}
