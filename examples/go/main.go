// Sends an SMS with the Go SDK 0.13 (github.com/vonage/vonage-go-sdk, no longer maintained), in plain HTTP.
//
// Each client has its own BasePath: what the SDK has in place of it, with the sidecar in place of the host.
package main

import (
	"fmt"

	"github.com/vonage/vonage-go-sdk"
)

func main() {
	client := vonage.NewSMSClient(vonage.CreateAuthFromKeySecret("abcd1234", "placeholder"))
	client.Config.BasePath = "http://localhost:8787/sms"
	sent, _, err := client.Send("Acme", "447700900000", "Hello from Go", vonage.SMSOpts{})
	if err != nil {
		panic(err)
	}
	fmt.Println("status", sent.Messages[0].Status)
}
