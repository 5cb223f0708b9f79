"""A toy world for tests: a tokenizer of words, and a model of plain numbers."""

import math


class Words:
    """One token a word; the end of text is token 0."""

    eos_token_id = 0

    def __init__(self, size=40):
        self.words = {"<eos>": 0}
        self.size = size

    def __call__(self, text, *, add_special_tokens):
        ids = []
        for word in text.split():
            self.words.setdefault(word, len(self.words))
            ids.append(self.words[word])
        assert max(ids, default=0) < self.size
        return {"input_ids": ids}

    def decode(self, ids):
        names = {id: word for word, id in self.words.items()}
        return " ".join(names.get(id, f"<{id}>") for id in ids)


def model(size, likes=0.0):
    """A function from tokens to rows of logits; the larger `likes`, the likelier the token after the last one's number."""

    def rows(ids):
        return [[likes * (v == (id + 1) % size) + math.sin(v * (id + 1)) for v in range(size)] for id in ids]

    return rows


ROWS = [
    {"prompt": "who sings", "chosen": " the old bird sings", "rejected": " a red stone"},
    {"prompt": "who runs far", "chosen": " the quick horse", "rejected": " no one runs", "my_judge": " the judge"},
    {"prompt": "what falls", "chosen": " rain falls"},
    {"prompt": "what burns", "chosen": " dry wood burns", "rejected": " water"},
]
