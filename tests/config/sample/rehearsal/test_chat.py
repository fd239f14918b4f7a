"""Chat Completions as the official client speaks it."""

import openai
import pytest

TRIAGE = {"role": "system", "content": "You are the triage agent of the refund desk."}
MAIL = {"role": "user", "content": "From: a@b.example\nSubject: x\n\nPlease refund order NW-10021, I sent it back."}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("orders__find_order", "policy__search")
]


def test_tool_calls_there_and_results_back(api):
    messages = [TRIAGE, MAIL]
    first = api.chat.completions.create(model="rehearsal-large", messages=messages, tools=TOOLS)
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert [call.function.name for call in message.tool_calls] == ["orders__find_order", "policy__search"]
    messages.append(message.model_dump(exclude_none=True))
    refusal = {"role": "tool", "content": '{"refused": "no"}'}
    messages += [{**refusal, "tool_call_id": call.id} for call in message.tool_calls]
    second = api.chat.completions.create(model="rehearsal-large", messages=messages, tools=TOOLS)
    assert second.choices[0].finish_reason == "stop"
    assert "Refused: orders.find_order, policy.search." in second.choices[0].message.content
    assert second.usage.prompt_tokens > first.usage.prompt_tokens


def test_a_stream_gives_the_same_calls_and_the_usage(api):
    request = {"model": "rehearsal-large", "messages": [TRIAGE, MAIL], "tools": TOOLS}
    whole = api.chat.completions.create(**request)
    with api.chat.completions.create(**request, stream=True, stream_options={"include_usage": True}) as stream:
        chunks = list(stream)
    arguments, names = {}, {}
    for chunk in chunks:
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            names[call.index] = call.function.name or names[call.index]
            arguments[call.index] = arguments.get(call.index, "") + call.function.arguments
    assert [(names[index], arguments[index]) for index in names] == [
        (call.function.name, call.function.arguments) for call in whole.choices[0].message.tool_calls
    ]
    assert chunks[-1].usage == whole.usage


def test_a_streamed_text_is_the_whole_text(api):
    request = {"model": "rehearsal-small", "messages": [{"role": "user", "content": "Hi"}]}
    whole = api.chat.completions.create(**request).choices[0].message.content
    with api.chat.completions.create(**request, stream=True) as stream:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text == whole


def test_the_limit_of_output_tokens_cuts_a_text(api):
    answer = api.chat.completions.create(
        model="rehearsal-small", messages=[{"role": "user", "content": "Hi"}], max_completion_tokens=3
    )
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens <= 3


@pytest.mark.parametrize(
    "change", [{"messages": []}, {"messages": [{"role": "wizard", "content": "x"}]}, {"n": 2}, {"tools": ["x"]}]
)
def test_a_bad_request_is_answered_with_its_reason(api, change):
    with pytest.raises(openai.BadRequestError):
        api.chat.completions.create(**{"model": "rehearsal-small", "messages": [MAIL]} | change)
