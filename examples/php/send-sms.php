<?php
// Sends an SMS with the PHP SDK 4 (composer require vonage/client), in plain HTTP.
//
// `base_api_url` and `base_rest_url` move most of it; the map `url` reaches the hosts that some clients have hard-coded.
// Voice, Video, Users: a container of `Basic` and `Keypair($anyRsaKey, $applicationId)`.

require __DIR__ . '/vendor/autoload.php';

$sidecar = getenv('VONAGE_SIDECAR') ?: 'http://localhost:8787';
$vonage = new Vonage\Client(new Vonage\Client\Credentials\Basic('abcd1234', 'placeholder'), [
    'base_api_url' => $sidecar,
    'base_rest_url' => $sidecar,
    'url' => [
        'https://api.nexmo.com' => $sidecar,
        'https://rest.nexmo.com' => $sidecar,
        'https://api-eu.vonage.com' => $sidecar,
    ],
]);
$sent = $vonage->sms()->send(new Vonage\SMS\Message\SMS('447700900000', 'Acme', 'Hello from PHP'));
echo 'status ', $sent->current()->getStatus(), "\n";
