"""The Responses API as the official client speaks it: whole, streamed, cut short, and refused."""

import openai
import pytest

TRIAGE = "You are the triage agent of the refund desk."
MAIL = "From: a@b.example\nSubject: x\n\nPlease refund order NW-10021, I sent it back."
TOOLS = [
    {"type": "function", "name": name, "parameters": {"type": "object"}, "strict": False}
    for name in ("orders__find_order", "policy__search")
]


def test_models(api):
    assert [model.id for model in api.models.list()] == ["rehearsal-large", "rehearsal-small"]


def test_function_calls_there_and_results_back(api):
    first = api.responses.create(model="rehearsal-large", instructions=TRIAGE, input=MAIL, tools=TOOLS)
    assert [item.name for item in first.output] == ["orders__find_order", "policy__search"]
    assert first.output[0].arguments == '{"order": "NW-10021"}'
    items = [{"role": "user", "content": MAIL}]
    for item in first.output:
        items.append(item.model_dump(include={"type", "call_id", "name", "arguments"}))
        items.append({"type": "function_call_output", "call_id": item.call_id, "output": '{"rows": []}'})
    second = api.responses.create(model="rehearsal-large", instructions=TRIAGE, input=items, tools=TOOLS)
    assert second.output_text.endswith("Outcome: declined, order NW-10021")
    assert second.status == "completed"


def test_calls_come_one_by_one_when_asked(api):
    answer = api.responses.create(
        model="rehearsal-large", instructions=TRIAGE, input=MAIL, tools=TOOLS, parallel_tool_calls=False
    )
    assert [item.name for item in answer.output] == ["orders__find_order"]


def test_usage_grows_with_the_input_and_stays_below_its_bytes(api):
    def usage(text):
        return api.responses.create(model="rehearsal-large", instructions=TRIAGE, input=text).usage

    short, long = usage("Hello"), usage("Hello" * 400)
    assert 480 <= long.input_tokens - short.input_tokens <= 520
    assert short.total_tokens == short.input_tokens + short.output_tokens
    assert short.input_tokens < len(TRIAGE + "Hello") + 64


def test_a_streamed_text_is_the_whole_text(api):
    request = {"model": "rehearsal-small", "instructions": "Something else entirely.", "input": "Hi"}
    whole = api.responses.create(**request)
    with api.responses.stream(**request) as stream:
        events = list(stream)
        final = stream.get_final_response()
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert deltas == whole.output_text == final.output_text
    assert final.usage == whole.usage
    assert [event.sequence_number for event in events] == sorted(event.sequence_number for event in events)
    assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]


def test_streamed_calls_are_whole(api):
    with api.responses.stream(model="rehearsal-large", instructions=TRIAGE, input=MAIL, tools=TOOLS) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_response()
    assert "response.function_call_arguments.delta" in kinds
    assert "response.function_call_arguments.done" in kinds
    assert [item.name for item in final.output] == ["orders__find_order", "policy__search"]


def test_the_limit_of_output_tokens_cuts_a_text(api):
    answer = api.responses.create(model="rehearsal-small", instructions="Other.", input="Hi", max_output_tokens=4)
    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage.output_tokens <= 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": []}, "input must be"),
        ({"input": ["x"]}, "not an object"),
        ({"previous_response_id": "resp_1"}, "keeps no state"),
        ({"max_output_tokens": 0}, "positive whole number"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "No function call"),
    ],
)
def test_a_bad_request_is_answered_with_its_reason(api, change, message):
    with pytest.raises(openai.BadRequestError, match=message) as caught:
        api.responses.create(**{"model": "rehearsal-large", "input": "Hi"} | change)
    assert caught.value.type == "invalid_request_error"


def test_an_unknown_model_and_an_unknown_address_are_not_found(api):
    with pytest.raises(openai.NotFoundError) as caught:
        api.responses.create(model="gpt-unknown", input="Hi")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        api.embeddings.create(model="rehearsal-large", input="Hi")


def test_a_body_that_is_not_json(rehearsal_url):
    with openai.DefaultHttpxClient() as http:
        answer = http.post(f"{rehearsal_url}/responses", content=b"{")
        assert (answer.status_code, answer.json()["error"]["message"]) == (400, "The body is not valid JSON.")
        assert http.get(f"{rehearsal_url}/responses").status_code == 405
