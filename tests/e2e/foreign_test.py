#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A coordinator that is not qcoordd drives two agents; corrupt files; refusals on the real bus."""
import random
import sys

from harness import Cluster, check, run


class Agents(Cluster):
    """Two agents and a bus; no qcoordd."""

    def __enter__(self):
        try:
            self.start_bus()
            for node in self.nodes:
                self.start_node(node, "--release-grace-ms", "200")
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def script(self, verb, folder, *more):
        done = self.tool("scripted-coordinator", verb, self.url, "e2e", folder, 1, 2, *more)
        print("    " + done.stdout.strip().replace("\n", "\n    "))
        return done.stdout


def a_scripted_coordinator_loads_searches_hands_over_and_releases():
    """Through the bus alone, from a plain folder."""
    with Agents(nodes=(1, 2)) as cluster:
        folder = cluster.make_collection(8_000, 32, 4)
        said = cluster.script("hand-over", folder)
        check("two copies of one segment asked" in said, "a search fell into the overlap")
        check("released segment" in said and "both nodes report none" in said, "receipts came")


def stale_commands_are_refused_and_the_last_copy_stays():
    """Lower term, older epoch, witness that does not serve, two releases that cross."""
    with Agents(nodes=(1, 2)) as cluster:
        folder = cluster.make_collection(8_000, 32, 4)
        said = cluster.script("refusals", folder)
        check("TERM_STALE" in said and "EPOCH_STALE" in said and "held:" in said,
              "refused and held, in words")
        check(said.count("crossing:") == 2, "both crossing releases were answered")


def damaged(original, chance):
    """A copy of the bytes with one byte flipped, or cut short."""
    if chance.random() < 0.5:
        return original[:chance.randrange(len(original))]
    place = chance.randrange(len(original))
    return original[:place] + bytes([original[place] ^ (1 << chance.randrange(8))]) \
        + original[place + 1:]


def corrupt_files_are_refused_in_the_words_of_verify():
    """20 damaged files are sent to an agent while it serves."""
    chance = random.Random(7)
    with Agents(nodes=(1, 2)) as cluster:
        folder = cluster.make_collection(8_000, 32, 4)
        original = sorted(folder.glob("*.qseg"))[0].read_bytes()
        files, words = [], []
        for number in range(20):
            path = cluster.folder / f"damaged{number}.qseg"
            path.write_bytes(damaged(original, chance))
            files.append(path)
            verify = cluster.tool("qseg", "verify", path, code=None)
            check(verify.returncode not in (0, -6, -11), f"qseg verify refuses {path.name}")
            words.append((verify.stderr + verify.stdout).strip())
        said = cluster.script("load", folder, *files).strip().split("\n")
        failures = [line for line in said if line.startswith("LoadFailed")]
        check(len(failures) == 20, "20 times LoadFailed")
        check("\n".join(said).count(": COMPLETE") >= 20, "a complete search after each of them")
        for line, word in zip(failures, words):
            text = line.split(" ", 2)[2]
            reason = text[text.index("damaged"):]
            check(reason in word, f"the same words: {reason}")
        check(cluster.alive("node1"), "the agent lives")


if __name__ == "__main__":
    run(a_scripted_coordinator_loads_searches_hands_over_and_releases,
        stale_commands_are_refused_and_the_last_copy_stays,
        corrupt_files_are_refused_in_the_words_of_verify)
