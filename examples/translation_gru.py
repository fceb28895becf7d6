"""15. English to French: a GRU encoder and decoder with attention, teacher forcing, greedy decoding.

70.1 to 71.3 % of the next words in new sentences of Tatoeba (fra-eng) are right after 6 epochs, and 139 or 140 of 1,000
sentences are translated as a person did (two runs), in 77 s on one core.
"""

import os
import zipfile
from pathlib import Path

import numpy as np

import dlcore as keras
from dlcore import layers

LENGTH = 10  # words of a sentence at most, its marks counted
START, END = "[start]", "[end]"


def pairs(max_words=6):
    """The sentences of up to `max_words` words as a list of (English, French), in random order."""
    path = Path(os.environ.get("DLCORE_DATASETS", "~/.dlcore/datasets")).expanduser() / "fra-eng.zip"
    if not path.exists():
        raise FileNotFoundError(
            f"There is no {path}. Get fra-eng.zip from https://www.manythings.org/anki and put it there, or name its "
            "folder in the environment variable DLCORE_DATASETS."
        )
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("fra.txt").decode("utf-8").splitlines()
    texts = [tuple(words(side) for side in line.split("\t")[:2]) for line in lines]
    texts = [(en, fr) for en, fr in texts if len(en.split()) <= max_words and len(fr.split()) <= LENGTH - 2]
    np.random.default_rng(0).shuffle(texts)
    return texts


def words(text):
    """Lower case, punctuation marks as words of their own, narrow and hard spaces as spaces."""
    text = text.lower().replace("’", "'").replace("'", "' ")
    for mark in ".,!?":
        text = text.replace(mark, f" {mark} ")
    return " ".join(text.split())


def split_by_source(texts, tests):
    """Training and test pairs that have no English sentence in common."""
    held_out = set(list(dict.fromkeys(english for english, _ in texts))[:tests])
    return [t for t in texts if t[0] not in held_out], [t for t in texts if t[0] in held_out]


def build(source_words, target_words, width, units):
    source = keras.Input((None,), dtype="int32", name="source")
    x = layers.Embedding(source_words, width, mask_zero=True)(source)
    x = layers.Dropout(0.2)(x)
    encoded, *states = layers.Bidirectional(layers.GRU(units // 2, return_sequences=True, return_state=True))(x)

    target = keras.Input((None,), dtype="int32", name="target")
    y = layers.Embedding(target_words, width, mask_zero=True)(target)
    y = layers.Dropout(0.2)(y)
    y = layers.GRU(units, return_sequences=True)(y, initial_state=layers.Concatenate()(states))
    context = layers.Attention()([y, encoded])
    y = layers.Concatenate()([y, context])
    y = layers.Dense(width, activation="relu")(y)
    y = layers.Dropout(0.2)(y)
    return keras.Model([source, target], layers.Dense(target_words)(y))


def translate(model, source, start):
    """The likeliest next word, one after the other: int (N, LENGTH), the start marks first."""
    target = np.zeros((len(source), LENGTH), "int32")
    target[:, 0] = start
    for i in range(1, LENGTH):
        logits = model.predict([source, target], batch_size=256, verbose=0)
        target[:, i] = logits[:, i - 1].argmax(axis=-1)
    return target


def main(epochs=6, rows=30000, width=128, units=256, vocabulary=5000, batch=64, tests=1000, show=10):
    train, test = split_by_source(pairs()[:rows], tests)
    vectorize = {"standardize": None, "output_sequence_length": LENGTH}
    english = layers.TextVectorization(vocabulary, **vectorize)
    french = layers.TextVectorization(vocabulary, **vectorize)
    english.adapt([en for en, _ in train])
    french.adapt([f"{START} {fr} {END}" for _, fr in train])
    vocabulary_fr = french.get_vocabulary()

    def arrays(texts):
        """Inputs, the next word at each place, and weights: 0 beyond the end mark."""
        source = np.array(english([en for en, _ in texts]))
        target = np.array(french([f"{START} {fr} {END}" for _, fr in texts]))
        following = np.pad(target[:, 1:], ((0, 0), (0, 1)))
        return [source, target], following, (following != 0).astype("float32")

    (x, y, weight), validation = arrays(train), arrays(test)
    model = build(english.vocabulary_size(), french.vocabulary_size(), width, units)
    model.summary()
    model.compile(
        optimizer=keras.optimizers.Adam(3e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        weighted_metrics=["accuracy"],
    )
    model.fit(x, y, sample_weight=weight, batch_size=batch, epochs=epochs, validation_data=validation)
    accuracy = model.evaluate(*validation[:2], sample_weight=validation[2], verbose=0)[1]

    references = {}
    for en, fr in test:
        references.setdefault(en, set()).add(fr)
    sentences = list(references)
    translated = translate(model, np.array(english(sentences)), vocabulary_fr.index(START))
    right = 0
    for i, (en, numbers) in enumerate(zip(sentences, translated)):
        fr = " ".join(vocabulary_fr[n] for n in numbers[1:] if n).split(f" {END}")[0]
        right += fr in references[en]
        if i < show:
            print(f"{en:36} {fr:40} {'=' if fr in references[en] else ' | '.join(list(references[en])[:2])}")
    print(f"{right} of {len(sentences)} new sentences translated as a person did")
    return accuracy, right / len(sentences)


if __name__ == "__main__":
    print("next-word accuracy {:.4f}, sentences as a person's {:.4f}".format(*main()))
