"""Every API that the Python SDK and the task share, round after round until standard input ends.

Reads VONAGE_API_KEY, VONAGE_API_SECRET (a placeholder), VONAGE_APPLICATION_ID and VONAGE_PRIVATE_KEY_PATH (a throw-away
key), and VONAGE_SIDECAR (host:port of a TLS listener); without the last one the SDK keeps its own hosts, for proxy mode.
Prints a line for each round, and at last a JSON document: how many calls were made, and which of them failed and how.
"""

import json
import os
import select
import sys
import uuid

from vonage import Auth, HttpClientOptions, Vonage
from vonage_application import ApplicationConfig
from vonage_messages import Sms
from vonage_number_insight import BasicInsightRequest, StandardInsightRequest
from vonage_numbers import NumberParams, SearchAvailableNumbersFilter
from vonage_sms import SmsMessage
from vonage_users import User
from vonage_verify import SmsChannel
from vonage_verify import VerifyRequest as VerifyV2Request
from vonage_verify_legacy import VerifyRequest
from vonage_voice import CreateCallRequest, Talk, ToPhone

TO, FROM = "447700900000", "447700900001"


def client():
    auth = Auth(
        api_key=os.environ["VONAGE_API_KEY"],
        api_secret=os.environ["VONAGE_API_SECRET"],
        application_id=os.environ["VONAGE_APPLICATION_ID"],
        private_key=os.environ["VONAGE_PRIVATE_KEY_PATH"],
    )
    sidecar = os.environ.get("VONAGE_SIDECAR")
    if sidecar is None:
        return Vonage(auth)
    # The SDK puts https:// in front.
    return Vonage(auth, HttpClientOptions(api_host=sidecar, rest_host=sidecar, video_host=sidecar))


def sms(vonage):
    sent = vonage.sms.send(SmsMessage(to=TO, from_="Acme", text=f"Hello {uuid.uuid4()}"))
    assert sent.messages[0].status == "0", sent
    vonage.sms.submit_sms_conversion(sent.messages[0].message_id)


def messages(vonage):
    assert vonage.messages.send(Sms(to=TO, from_="Acme", text=f"Hello {uuid.uuid4()}")).message_uuid


def verify_v1(vonage):
    started = vonage.verify_legacy.start_verification(VerifyRequest(number=TO, brand=f"Acme {uuid.uuid4()}"[:18]))
    assert vonage.verify_legacy.check_code(started.request_id, "1234").status == "0"
    assert vonage.verify_legacy.search(started.request_id).status == "SUCCESS"


def verify_v2(vonage):
    request = VerifyV2Request(brand="Acme", client_ref=uuid.uuid4().hex[:16], workflow=[SmsChannel(to=TO)])
    started = vonage.verify.start_verification(request)
    assert vonage.verify.check_code(started.request_id, "1234").status == "completed"


def voice(vonage):
    ncco = [Talk(text=f"Hello {uuid.uuid4()}")]
    call = vonage.voice.create_call(CreateCallRequest(to=[ToPhone(number=TO)], from_={"type": "phone", "number": FROM}, ncco=ncco))
    assert call.status == "started"
    vonage.voice.list_calls()
    vonage.voice.hangup(call.uuid)


def insight(vonage):
    assert vonage.number_insight.get_basic_info(BasicInsightRequest(number=TO)).status == 0
    assert vonage.number_insight.get_standard_info(StandardInsightRequest(number=TO)).status == 0


def numbers(vonage):
    assert vonage.numbers.search_available_numbers(SearchAvailableNumbersFilter(country="GB"))[1] == 3
    number = NumberParams(country="GB", msisdn=str(uuid.uuid4().int)[:12])
    vonage.numbers.buy_number(number)
    assert vonage.numbers.list_owned_numbers()[1] >= 1
    vonage.numbers.cancel_number(number)


def account(vonage):
    assert vonage.account.get_balance().value > 0


def applications(vonage):
    listed, _ = vonage.application.list_applications()
    assert vonage.application.get_application(listed[0].id).id == listed[0].id


def users(vonage):
    vonage.users.create_user(User(name=f"user-{uuid.uuid4()}"))
    vonage.users.list_users()


def video(vonage):
    session = vonage.video.create_session().session_id
    vonage.video.mute_all_streams(session)


TASKS = [sms, messages, verify_v1, verify_v2, voice, insight, numbers, account, applications, users, video]


def is_over():
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready) and not sys.stdin.read(1)


def main():
    # A client for each task: after a JSON call, a client of this SDK declares its forms as JSON, too.
    tasks, calls, failures = [(task, client()) for task in TASKS], 0, []
    while True:
        for task, vonage in tasks:
            calls += 1
            try:
                task(vonage)
            except Exception as error:  # whatever it is, it is what an app would see
                failures.append(f"{task.__name__}: {type(error).__name__}: {error}")
        print("round", flush=True)
        if is_over():
            break
    print(json.dumps({"calls": calls, "failures": failures}))


main()
