// Sends an SMS with the Kotlin SDK 2 (com.vonage:server-sdk-kotlin), in plain HTTP.
//
// Voice, Video, Users: `applicationId(...)` and `privateKeyPath("placeholder.key")` beside the key, with any RSA key.

import com.vonage.client.kt.Vonage

fun main() {
    val sidecar = System.getenv("VONAGE_SIDECAR") ?: "http://localhost:8787"
    val vonage = Vonage {
        apiKey("abcd1234")
        apiSecret("placeholder")
        httpConfig { baseUri(sidecar) }
    }
    val sent = vonage.sms.sendText("Acme", "447700900000", "Hello from Kotlin")
    println("status ${sent.first().status}")
}
