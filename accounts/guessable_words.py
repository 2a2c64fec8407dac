"""Words that people put into passwords and that are tried first: in English and German, and those of this company."""

from __future__ import annotations

import re
from collections.abc import Iterable

from accounts.folding import fold, spell_out

PRODUCT = "calltally tenios"
USUAL = """
password passwort passwd kennwort losung losungswort parole geheim secret top topsecret
welcome willkommen hello hallo servus moin grüezi hey
login logon signin anmeldung anmelden zugang access konto account
admin administrator root user benutzer gast guest chef boss master manager support service
telefon telephone phone handy call calls caller anruf anrufe anrufer hotline zentrale empfang callcenter
firma company team office büro kunde kunden customer gmbh
test tester testing demo start change changeme ändern initial temp standard default
qwertz qwerty asdf yxcv zxcv abc xyz
internet computer server system monitor drucker laptop windows
schatz liebe ichliebedich love iloveyou baby engel angel
fussball football soccer bayern schalke borussia
deutschland germany österreich austria schweiz berlin hamburg münchen munich köln cologne frankfurt stuttgart wien
hund katze sonne sunshine blume stern star
geburtstag birthday urlaub holiday weihnachten christmas ostern easter feierabend wochenende weekend
"""
TIMES = """
spring summer autumn fall winter frühling frühjahr sommer herbst
january february march april may june july august september october november december
januar jänner februar märz mai juni juli oktober dezember
monday tuesday wednesday thursday friday saturday sunday
montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag
week month year today tomorrow woche monat jahr heute morgen quartal
"""
# They make no password stronger, but are no reason to refuse one.
FILLERS = """
mein meine meinem meinen dein deine das die der den ein eine ist und oder für mit von neu neue neues neuer alt sehr
the this that our your for with and are new old his her my
"""
# What stands between the dots of a host name and is no name of a company.
NO_NAMES = "www localhost local intern internal com org net edu gov co gv or ac"
SHORTEST = 3


def read(text: str) -> dict[str, str]:
    """Return the words of a text by each spelling that a folded password may have of them: ä as a and as ae."""
    words: dict[str, str] = {}
    for word in re.split(r"[\W\d_]+", text):
        # ae may be written for ä.
        spellings = {fold(word), spell_out(word), re.sub(r"(?<![aeq])([aou])e", r"\1", spell_out(word))}
        words |= {spelling: word for spelling in spellings if len(spelling) >= SHORTEST}
    return words


def names_of_hosts(hosts: Iterable[str]) -> str:
    """Return the names in host names, without their last part: `calls example` for `calls.example.com`."""
    names = []
    for host in hosts:
        labels = host.strip(".*").lower().split(".")
        is_address = host.startswith("[") or labels[-1].isdigit()
        names += [] if is_address else [label for label in labels[:-1] or labels if label not in NO_NAMES.split()]
    return " ".join(names)


GUESSABLE = read(f"{PRODUCT} {USUAL} {TIMES}")
FILLING = read(FILLERS)
