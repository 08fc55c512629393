# SPDX-License-Identifier: Apache-2.0
"""The log: numbered chapters, who said what to whom, and one `ok` for each thing checked."""
import textwrap

WIDTH = 80


class Failure(Exception):
    """What was promised did not happen: the story ends here."""


class Story:
    def __init__(self):
        self.chapters = self.passed = self.failed = 0

    def chapter(self, title, text=""):
        self.chapters += 1
        print(f"\n{self.chapters}. {title}", flush=True)
        if text:
            print(textwrap.fill(" ".join(text.split()), WIDTH, initial_indent="   ",
                                subsequent_indent="   "))

    def said(self, who, subject, what):
        """One message: `sender -> subject: what it says`."""
        print(textwrap.fill(f"{who} -> {subject}: {what}", WIDTH, initial_indent="   ",
                            subsequent_indent="       "), flush=True)

    def check(self, text, *facts):
        """One promise, with all the facts it consists of: pairs (got, wanted), or truths."""
        for fact in facts:
            got, wanted = fact if isinstance(fact, tuple) else (bool(fact), True)
            if got != wanted:
                raise Failure(f"{text}: got {got!r}, wanted {wanted!r}")
        self.passed += 1
        print(textwrap.fill(text, WIDTH, initial_indent="     ok  ", subsequent_indent="         "),
              flush=True)

    def end(self, trouble=None):
        if trouble is not None:
            self.failed += 1
            print(textwrap.fill(f"FAILED  {trouble}", WIDTH, subsequent_indent="        "))
        print(f"\n{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed else 0
