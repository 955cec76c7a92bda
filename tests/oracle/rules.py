"""Where the naive proxy is wrong, or cannot be compared: for each peculiarity the rule by which the answer is known.

Its messages are compared with what must arrive unless an exchange has one of these; ours always. A rule that never
mattered in a whole run is stale, which the test says.
"""

from __future__ import annotations

from typing import Final

_HOST: Final = 'RFC 9112, 3.2: an invalid Host is answered 400; it is forwarded'
_ANSWER: Final = (
    'RFC 9112, 5, 6 and RFC 9110, 15.6.3: an invalid response is 502; its parser is lenient towards servers'
)
_CHUNKS: Final = (
    'RFC 9112, 8: an incomplete response stays incomplete; it ends the answer properly, or sends a page of its own'
)

RULES: Final = {
    'not-ascii': 'RFC 9110, 5.5: obs-text is opaque data; it is lost in a str',
    'answer-not-ascii': 'RFC 9110, 5.5: obs-text is opaque data; it is lost in a str',
    'more-behind-the-last': 'RFC 9112, 9.6: what follows a request with close is not served, the request is; it refuses both',
    'odd-chunks': 'RFC 9112, 7.1: extensions with white space, values or obs-text are ignored; it refuses some',
    'trailers': 'RFC 9112, 7.1.2: trailers may be discarded; they spoil its request',
    'single-field-twice': 'RFC 9110, 5.3: who forwards keeps the lines as they are; it refuses them',
    'nominates-end-to-end': 'RFC 9110, 7.6.1: end-to-end fields are never meant for one hop; it drops them',
    'interim': 'RFC 9110, 15.2: a proxy forwards 1xx; it does not',
    'underscore': 'rule 31 (X_Y and X-Y are one variable in CGI): dropped; it forwards them',
    'absolute-form': 'RFC 9112, 3.2.2: the authority becomes Host; it mangles the target',
    'asterisk-form': 'RFC 9112, 3.2.4: forwarded as it came; it refuses',
    'rare-method': 'RFC 9110, 9.1: a method is any token; it knows a list',
    'empty-query': 'RFC 9112, 3.2: the target is forwarded as it came; it drops a lone question mark',
    'no-host': 'RFC 9112, 3.2: HTTP/1.0 needs no Host; it adds one of its own',
    'max-forwards': 'RFC 9110, 7.6.2: counted down, and answered at 0; it passes it on',
    'te-stacked': 'RFC 9112, 6.1: an unknown coding is 501; it forwards the coded body as if it were plain',
    'two-spaces': 'RFC 9112, 3: single spaces; it accepts more',
    'target-fragment': 'RFC 9112, 3.2: no fragment in a target; it drops it',
    'target-encoded-nul': 'rule 22: no NUL in a path; it is forwarded',
    'trace': 'rule 28: TRACE is answered 405; it is forwarded',
    'unsized-to-1.0': 'RFC 9112, 6.3 (8): to HTTP/1.0 a body of unknown length ends with the connection; it keeps that open',
    'chunk-too-many-digits': 'RFC 9112, 7.1: sizes are bounded; it takes any number of zeros',
    'chunk-extension-endless': 'RFC 9112, 7.1.1: extensions are bounded; it takes any',
    'answer-101-unasked': 'RFC 9110, 15.2.2 and 7.8: nobody asked for another protocol; it waits for ever',
    'extra-behind': 'RFC 9112, 9.2: what follows an answer nobody asked for; it may take it for the next answer',
    'host-with-path': _HOST,
    'host-with-user': _HOST,
    'host-with-space': _HOST,
    'host-bad-port': _HOST,
    'answer-te-in-1-0': _ANSWER,
    'answer-te-twice': _ANSWER,
    'answer-bare-lf': _ANSWER,
    'answer-version': _ANSWER,
    'answer-te-not-last': _ANSWER,
    'answer-te-stacked': _ANSWER,
    'answer-obs-fold': _ANSWER,
    'answer-status-000': _ANSWER,
    'answer-status-600': _ANSWER,
    'answer-chunk-bare-lf': _CHUNKS,
    'answer-chunk-overflow': _CHUNKS,
    'answer-chunk-not-hex': _CHUNKS,
    'answer-chunk-too-much': _CHUNKS,
    'answer-trailer-bad': _CHUNKS,
    'answer-chunk-0x': _CHUNKS,
}
