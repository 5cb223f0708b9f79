"""The shipped world's checkable reward in Python: how many facts of an answer are right, as `src/data/world/judge.rs` counts.

    python benches/peers/world.py > tests/golden/judge.jsonl      # made-up answers with their rewards

Words and their lists are read from `src/data/world/lexicon.rs` and `render.rs`; their order is drawn by the same generator
from the same seed. A test of the program holds its own judge against `tests/golden/judge.jsonl`. Standard library only.
"""

import json
import math
import pathlib
import random
import re
import struct

SOURCE = pathlib.Path(__file__).parents[2] / "src" / "data" / "world"
SUBJECT_SLOTS, PREDICATE_SLOTS = (14, 15), (16, 17)
USUAL = 0.25


def text_of(literal):
    """A string of Rust's, whose lines go on after a backslash."""
    return re.sub(r"\\\n\s*", "", literal)


def lists():
    """The constants of the lexicon and the topics: verb, third person, nouns, adjectives."""
    source = (SOURCE / "lexicon.rs").read_text()
    constants = {name: text_of(value) for name, value in re.findall(r'const (\w+): &str =\s*"(.*?)";', source, re.S)}
    topics = re.findall(r'\n    topic\(\s*"(.*?)",\s*"(.*?)",\s*"(.*?)",\s*"(.*?)",?\s*\)', source, re.S)
    return constants, [[text_of(part) for part in topic] for topic in topics]


def patterns():
    """The wordings of all clauses as regular expressions with a group a slot, and the slots' names in their order."""
    source = (SOURCE / "render.rs").read_text()
    names = re.findall(r'"(\w+)"', re.search(r"SLOT_NAMES.*?=\s*\[(.*?)\];", source, re.S).group(1))
    table = re.search(r"const PATTERNS.*?= \[(.*?)\n\];", source, re.S).group(1)
    return re.findall(r'"(.*?)"', table), names


class Source:
    """The program's generator: ChaCha with 8 rounds, whose key is a seed and a purpose."""

    def __init__(self, purpose, seed):
        key = seed.to_bytes(8, "little") + purpose.encode().ljust(24, b"\0")[:24]
        self.key, self.block, self.words = struct.unpack("<8I", key), 0, []

    def u64(self):
        if not self.words:
            self.words = self._next()
        low, high = self.words.pop(0), self.words.pop(0)
        return low | high << 32

    def _next(self):
        state = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *self.key, self.block, 0, 0, 0]
        self.block += 1
        x = list(state)

        def turn(a, b, c, d):
            for first, second, third, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[first] = (x[first] + x[second]) & 0xFFFFFFFF
                y = x[third] ^ x[first]
                x[third] = (y << by | y >> (32 - by)) & 0xFFFFFFFF

        for _ in range(4):
            for i in range(4):
                turn(i, 4 + i, 8 + i, 12 + i)
            for i in range(4):
                turn(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
        return [(a + b) & 0xFFFFFFFF for a, b in zip(x, state)]

    def ranked(self, items):
        items = list(items)
        for last in range(len(items) - 1, 0, -1):
            other = (self.u64() * (last + 1)) >> 64
            items[last], items[other] = items[other], items[last]
        return items


class Judge:
    """Counts what is right."""

    def __init__(self):
        words, self.topics = lists()
        known = {name: text.split("|" if "|" in text else None) for name, text in words.items()}
        self.names, self.predicates_known, self.subjects = known["NAMES"], known["PREDICATES"], known["SUBJECTS"]
        source = Source("world", 0)
        self.rankings = []
        for _, _, nouns, adjectives in self.topics:
            of = [*[known["ADJECTIVES"] + adjectives.split()] * 3, *[nouns.split()] * 3, *[known["PREPOSITIONS"]] * 2,
                  *[known["PLACES"]] * 2, *[known["TIMES"]] * 2, *[known["NAMES"]] * 2, *[known["SUBJECTS"]] * 2, [], [],
                  known["ADVICE_VERBS"]]
            self.rankings.append([source.ranked(some) if some else [] for some in of])
        nouns = [noun for topic in self.topics for noun in topic[2].split()]
        for _ in self.topics:
            source.ranked(nouns)
        self.predicates = {s: [source.ranked(self.predicates_known) for _ in range(2)] for s in self.subjects}
        self.patterns, self.slots = patterns()

    def reward(self, prompt, answer):
        """The share of 19 facts that are right; `None` where the prompt is no question of the world."""
        said = re.split(r"[^A-Za-z]", prompt)
        name = next((name for name in self.names if name in said), None)
        does = {form: at for at, topic in reversed(list(enumerate(self.topics))) for form in topic[:2]}
        topic = next((does[word] for word in said if word in does), None)
        if name is None or topic is None:
            return None
        words = {}
        for sentence in re.findall(r"[^.]*\.|[^.]+$", answer):
            for slot, word in self.read(sentence.strip(), name, topic):
                words.setdefault(slot, word)
        return sum(self.is_usual(topic, slot, word, words) for slot, word in words.items()) / len(self.slots)

    def is_usual(self, topic, slot, word, words):
        ranking = self.rankings[topic][slot]
        if slot in PREDICATE_SLOTS:
            which = PREDICATE_SLOTS.index(slot)
            ranking = self.predicates.get(words.get(SUBJECT_SLOTS[which]), [[], []])[which]
        return word in ranking[: math.ceil(len(ranking) * USUAL)]

    def read(self, sentence, name, topic):
        """The words of a clause with their slots; none where it is no clause about this."""
        longest = "|".join(re.escape(p) for p in sorted(self.predicates_known, key=len, reverse=True))
        for pattern in self.patterns:
            regex, slots = "", []
            for piece in re.split(r"(\{\w+\})", pattern):
                if not piece.startswith("{"):
                    regex += re.escape(piece)
                elif piece == "{name}":
                    regex += re.escape(name)
                elif piece == "{does}":
                    regex += re.escape(self.topics[topic][1])
                else:
                    slot = self.slots.index(piece[1:-1])
                    slots.append(slot)
                    regex += f"((?:{longest})(?![A-Za-z]))" if slot in PREDICATE_SLOTS else "([A-Za-z]+)"
            if found := re.fullmatch(regex, sentence):
                return list(zip(slots, found.groups()))
        return []


    def made_up(self, chance):
        """A question and an answer to it, some of whose facts are right; now and then cut, repeated or about somebody else."""
        name, topic = chance.choice(self.names), chance.randrange(len(self.topics))
        words = {}
        for slot in range(len(self.slots)):
            ranking = self.rankings[topic][slot]
            if slot in PREDICATE_SLOTS:
                which = PREDICATE_SLOTS.index(slot)
                ranking = self.predicates[words[self.slots[SUBJECT_SLOTS[which]]]][which]
            words[self.slots[slot]] = ranking[min(int(chance.expovariate(4 / len(ranking))), len(ranking) - 1)]
        clauses = [chance.choice(self.patterns[at : at + 3]) for at in range(0, len(self.patterns), 3)]
        chance.shuffle(clauses)
        who = name if chance.random() < 0.9 else chance.choice(self.names)
        answer = "".join(" " + c.format(name=who, does=self.topics[topic][1], **words) for c in clauses)
        if chance.random() < 0.2:
            answer = answer[: chance.randrange(len(answer))]
        if chance.random() < 0.1:
            answer += answer
        return f"Q: What does {name} {self.topics[topic][0]} at home? A:", answer


if __name__ == "__main__":
    judge, chance = Judge(), random.Random(7)
    for prompt, answer in (judge.made_up(chance) for _ in range(60)):
        print(json.dumps({"prompt": prompt, "answer": answer, "reward": judge.reward(prompt, answer)}))
