"""The server's side of a conversation with a pid 1, whoever isolates what pid 1 keeps.

`inbox`, `questions` and `verdicts` are what every engine with a pid 1 of ours shares. `link`, `process` and `container`
are for containers that somebody else makes: one pair of byte streams to `guest.contained` becomes a `Sandbox`.
"""
