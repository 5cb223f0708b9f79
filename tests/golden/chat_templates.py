#!/usr/bin/env python3
"""Writes chat_templates.json: conversations as transformers' `apply_chat_template` writes them.

    python tests/golden/chat_templates.py > tests/golden/chat_templates.json

The templates are our own, in the shapes of those that models come with: ChatML with a default system prompt (Qwen2),
ChatML (SmolLM2), headers and a date (Llama 3), tags that end with eos (Zephyr), instructions that insist on alternating
roles (Mistral), thoughts cut from earlier turns (DeepSeek-R1, Qwen3), generation marks and loop controls. Prompt and
answers are split as TRL's `apply_chat_template` splits them. The clock stands at 26 July 2024, as in src/data/chat.rs.
"""

import datetime
import json
import sys

import tokenizers
import transformers
from transformers.utils import chat_template_utils


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26)


chat_template_utils.datetime = Clock

TEMPLATES = {
    "qwen2": """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful assistant.<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}""",
    "smollm2": """{%- for message in messages -%}
    {{- '<|im_start|>' ~ message.role ~ '\\n' ~ message.content.strip() ~ '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif -%}
""",
    "llama3": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = strftime_now("%d %b %Y") if strftime_now is defined else "26 Jul 2024" %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: " + date_string + "\\n\\n" + system_message + "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "zephyr": """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>\\n'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
    "mistral": """{{ bos_token }}{% set ns = namespace(turn=0) %}{% for m in messages if m.role != 'system' %}
{%- if (m.role == 'user') != (ns.turn % 2 == 0) -%}
    {{ raise_exception('roles must alternate user/assistant') }}
{%- endif -%}
{%- set ns.turn = ns.turn + 1 -%}
{%- if m.role == 'user' -%}
    [INST] {{ m.content }} [/INST]
{%- else -%}
    {{ ' ' ~ m.content ~ eos_token }}
{%- endif -%}
{% endfor %}""",
    "thinking": """{{ bos_token }}{% for m in messages %}{% set text = m.content %}
{%- if m.role == 'assistant' and '</think>' in text and not loop.last %}{% set text = text.split('</think>')[-1].lstrip('\\n') %}{% endif %}
{%- if m.role == 'assistant' %}{{ '<|assistant|>' + text + eos_token }}{% else %}{{ '<|' + m.role + '|>' + text }}{% endif %}
{%- endfor %}{% if add_generation_prompt %}{{ '<|assistant|><think>\\n' }}{% endif %}""",
    "marks": """{%- macro turn(role, text) -%}<{{ role | upper }}>{{ text }}{%- endmacro -%}
{% for message in messages %}
  {% if message.role == "system" %}{% continue %}{% endif %}
  {% if message.role == "assistant" %}{% generation %}{{ turn(message.role, message.content) }}{% endgeneration %}
  {% else %}{{ turn(message['role'], message['content']) }}
  {% endif %}
  {{- {"a": [1, true, none], "role": message.role} | tojson }}{{ true }}{{ none }}{{ message.name }}
{% endfor %}
{% if add_generation_prompt %}<ASSISTANT>{% endif %}""",
}

CONVERSATIONS = [
    [{"role": "user", "content": "What colour is the sky?"}],
    [
        {"role": "system", "content": " Answer in one word. "},
        {"role": "user", "content": "What colour is the sky?\n"},
    ],
    [
        {"role": "user", "content": "2 + 2? <b>\"&\"</b>"},
        {"role": "assistant", "content": "<think>\ntwo and two\n</think>\n\n4"},
        {"role": "user", "content": "¿Y en español? 漢字 🎉"},
    ],
]
ANSWERS = ["It is blue.", "  Green —\n\nperhaps. ", "<think>\nhm\n</think>\n\nBlue"]


def split(render, prompt, answer):
    """Prompt and answer as TRL splits them; what the opened turn has and the answered one has not is left out."""
    opened = render(prompt, True)
    whole = render(prompt + [{"role": "assistant", "content": answer}], False)
    common = 0
    while common < min(len(opened), len(whole)) and opened[common] == whole[common]:
        common += 1
    return {"prompt": opened[:common], "completion": whole[common:]}


def main():
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<s>": 0, "</s>": 1}, unk_token="</s>"))
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    cases = []
    for name, template in TEMPLATES.items():

        def render(messages, opened):
            return tokenizer.apply_chat_template(
                messages, chat_template=template, tokenize=False, add_generation_prompt=opened
            )

        for prompt in CONVERSATIONS:
            rows = [dict(answer=answer, **split(render, prompt, answer)) for answer in ANSWERS]
            cases.append({"template": name, "messages": prompt, "closed": render(prompt, False),
                          "opened": render(prompt, True), "answers": rows})
    out = {"transformers": transformers.__version__, "bos_token": "<s>", "eos_token": "</s>",
           "templates": TEMPLATES, "cases": cases}
    json.dump(out, sys.stdout, ensure_ascii=False, indent=1)
    print()


if __name__ == "__main__":
    main()
