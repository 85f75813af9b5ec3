// Sends an SMS with the .NET SDK 8 (dotnet add package Vonage), in plain HTTP. The addresses are in appsettings.json
// beside this file: a bare host and port, since some clients of the SDK drop a path behind it.
//
// Voice, Video, Users: "Application.Id" and "Application.Key" in the same section, with any RSA key.

using Microsoft.Extensions.Configuration;
using Vonage;
using Vonage.Messaging;
using Vonage.Request;

var configuration = new ConfigurationBuilder().AddJsonFile("appsettings.json").Build();
var vonage = new VonageClient(Credentials.FromApiKeyAndSecret("abcd1234", "placeholder"), configuration);
var sent = await vonage.SmsClient.SendAnSmsAsync(new SendSmsRequest { From = "Acme", To = "447700900000", Text = "Hello from .NET" });
Console.WriteLine($"status {sent.Messages[0].Status}");
