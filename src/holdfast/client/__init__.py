"""A client of the HTTP API: `Client`, and `AsyncClient` with the same methods to await.

What is sent and what an answer means is written once, without any input or output (`calls`, `requests`, `answers`);
the two clients are thin shells around it (`blocking`, `awaiting`). Of Holdfast it needs the nouns and the errors alone.
"""

from holdfast.client.awaiting import AsyncClient, AsyncEventStream, AsyncRemoteSession
from holdfast.client.blocking import Client, EventStream, RemoteSession

__all__ = ["AsyncClient", "AsyncEventStream", "AsyncRemoteSession", "Client", "EventStream", "RemoteSession"]
