"""A system while it is being drawn: parts with random properties, and the calls between them."""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from opswm.simulation.kernel.blueprint import Link, Part
from opswm.simulation.kernel.picking import pick

_WORDS: Final = (
    "accounts", "ads", "alerts", "billing", "bookings", "campaigns", "claims", "coupons", "delivery", "documents",
    "events", "feed", "fraud", "geo", "identity", "images", "invoices", "ledger", "loyalty", "mail", "maps", "media",
    "menus", "offers", "orders", "permits", "pricing", "profiles", "quotes", "ratings", "refunds", "reports", "returns",
    "reviews", "rides", "routing", "search", "sessions", "shipping", "social", "stock", "tariffs", "tickets", "tokens",
    "users", "vouchers", "wallet", "watchlist",
)  # fmt: skip


@dataclass
class Words:
    """Names that were not used yet; domains of one system share them."""

    left: list[str] = field(default_factory=list)
    rounds: int = 0

    def take(self, rng: np.random.Generator) -> str:
        """Return a name and never that name again."""
        if not self.left:
            self.rounds += 1
            numbered = "" if self.rounds == 1 else f"-{self.rounds}"
            self.left = [f"{word}{numbered}" for word in rng.permutation(list(_WORDS))]
        return self.left.pop()


@dataclass
class Sketch:
    """A system being drawn: parts and links are added, then it is finished into a blueprint."""

    rng: np.random.Generator
    parts: list[Part] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    words: Words = field(default_factory=Words)

    def add(self, part: Part) -> str:
        """Add a part and return its name."""
        self.parts.append(part)
        return part.name

    def word(self) -> str:
        """Return a name that was not used yet."""
        return self.words.take(self.rng)

    def service(self) -> str:
        """Add a service with random speed and start time."""
        rng = self.rng
        return self.add(
            Part(
                self.word(),
                "service",
                cpu_s=float(math.exp(rng.uniform(math.log(0.003), math.log(0.015)))),
                io_s=pick(rng, (0.0, 0.0, 0.002, 0.01)),
                scv=float(rng.uniform(0.5, 1.8)),
                start_s=float(rng.uniform(20.0, 90.0)),
                warmup_s=float(rng.uniform(10.0, 90.0)),
                warmup_penalty=float(rng.uniform(0.1, 1.2)),
                memory_ratio=float(rng.uniform(0.25, 0.65)),
                scaler_on=float(rng.random() < 0.3),
                old_version_penalty=pick(rng, (1.0, 1.0, 1.0, 1.25)),
                deployed_s=-float(rng.uniform(3_000.0, 900_000.0)),
            )
        )

    def database(self) -> str:
        """Add a database with a connection pool."""
        rng = self.rng
        cpu_s, io_s = rng.uniform(0.001, 0.006), rng.uniform(0.001, 0.008)
        slope, start_s = rng.uniform(0.1, 0.8), rng.uniform(30.0, 120.0)
        name = f"{self.word()}-db"
        return self.add(
            Part(name, "database", cpu_s=cpu_s, io_s=io_s, contention_slope=slope, start_s=start_s, warmup_penalty=1.0)
        )

    def cache_before(self, database: str) -> str:
        """Add a cache that reads through to a database."""
        rng = self.rng
        part = Part(
            f"{database}-cache", "cache", cpu_s=0.0002, io_s=0.0005, hit_max=float(rng.uniform(0.5, 0.9)),
            refill_s=float(rng.uniform(40.0, 240.0)), start_s=float(rng.uniform(5.0, 20.0)),
        )  # fmt: skip
        self.add(part)
        self.links.append(Link(part.name, database, "reads_through", on_miss=1.0, retries=0.0))
        return part.name

    def call(self, source: str, target: str, calls: float = 1.0, on_path: float = 1.0, optional: bool = False) -> None:
        """Let one part call another; an optional call sits behind a feature flag."""
        rng = self.rng
        if any(link.source == source and link.target == target for link in self.links):
            return
        self.links.append(
            Link(
                source,
                target,
                calls=calls,
                on_path=on_path,
                required=float(rng.uniform(0.0, 0.1)) if optional else 1.0,
                retries=pick(rng, (0.0, 1.0, 2.0, 3.0), (0.6, 0.25, 0.12, 0.03)),
                backoff_s=pick(rng, (0.0, 0.05, 0.2)),
                breaker_ratio=0.5 if rng.random() < 0.15 else 2.0,
                feature=f"{target}-calls" if optional else "",
            )
        )
