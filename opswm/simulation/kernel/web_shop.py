"""The demo system: a web shop with a storefront, an app, payments in two zones, a cache, two databases and a queue."""

from dataclasses import replace
from typing import Final

import numpy as np

from opswm.simulation.kernel.blueprint import Blueprint, Goal, Inlet, Link, Part
from opswm.simulation.kernel.finish import finish
from opswm.simulation.kernel.hazards import CLASSIC

NAME: Final = "web-shop"
SIZING_SEED: Final = 5

_PARTS: Final = (
    Part("edge-lb", "load_balancer", cpu_s=0.0006, start_s=25.0),
    Part("app-gateway", "load_balancer", cpu_s=0.0008, start_s=25.0),
    Part("storefront", "service", cpu_s=0.008, start_s=35.0, scaler_on=1.0),
    Part("catalog", "service", cpu_s=0.005, start_s=35.0),
    Part("cart", "service", cpu_s=0.004, start_s=30.0),
    Part("checkout", "service", cpu_s=0.010, start_s=45.0),
    Part("payments-a", "service", zone="zone-a", cpu_s=0.006, start_s=45.0, peer="payments-b"),
    Part("payments-b", "service", zone="zone-b", cpu_s=0.006, start_s=45.0, peer="payments-a"),
    Part("inventory", "service", cpu_s=0.006, start_s=30.0),
    Part("recommendation", "service", cpu_s=0.014, start_s=60.0, warmup_s=60.0, warmup_penalty=1.0),
    Part("redis-cache", "cache", cpu_s=0.0002, io_s=0.0006, hit_max=0.78, refill_s=110.0, start_s=15.0),
    Part("catalog-db", "database", cpu_s=0.004, io_s=0.004, contention_slope=0.5, start_s=60.0),
    Part("orders-db", "database", cpu_s=0.003, io_s=0.005, contention_slope=0.4, start_s=60.0),
    Part("order-queue", "queue", cpu_s=0.0001, consumer="fulfilment"),
    Part("fulfilment", "worker", cpu_s=0.020, start_s=40.0),
    Part("card-gateway", "external", cpu_s=0.0001, io_s=0.12, scv=0.6),
    Part("host-a", "host"),
    Part("host-b", "host"),
    Part("host-c", "host"),
)  # fmt: skip

_LINKS: Final = (
    Link("edge-lb", "storefront", "routes_to", retries=0.0),
    Link("storefront", "catalog", calls=1.0, retries=2.0),
    Link("storefront", "cart", calls=0.4, retries=0.0),
    Link("storefront", "recommendation", calls=0.8, required=0.03, feature="recommendations", retries=0.0),
    Link("storefront", "checkout", calls=0.12, retries=0.0),
    Link("app-gateway", "catalog", "routes_to", calls=1.0, retries=0.0),
    Link("app-gateway", "cart", "routes_to", calls=0.4, retries=0.0),
    Link("app-gateway", "checkout", "routes_to", calls=0.15, retries=0.0),
    Link("catalog", "redis-cache", calls=1.0, retries=0.0),
    Link("redis-cache", "catalog-db", "reads_through", on_miss=1.0, retries=0.0),
    Link("recommendation", "catalog-db", calls=0.4, retries=0.0),
    Link("cart", "orders-db", calls=0.6, retries=0.0),
    Link("checkout", "inventory", calls=1.0, retries=1.0),
    Link("checkout", "payments-a", calls=1.0, weight=0.5),
    Link("checkout", "payments-b", calls=1.0, weight=0.5),
    Link("checkout", "orders-db", calls=2.0, retries=0.0),
    Link("checkout", "order-queue", "publishes", synchronous=0.0),
    Link("inventory", "orders-db", calls=1.0),
    Link("payments-a", "card-gateway", calls=1.0),
    Link("payments-b", "card-gateway", calls=1.0),
    Link("order-queue", "fulfilment", "consumes", synchronous=0.0),
    Link("fulfilment", "orders-db", calls=1.0, retries=2.0),
)

_INLETS: Final = (
    Inlet("edge-lb", 160.0, 0.15, 5400.0, 0.4, 0.05, 60.0, client_timeout_s=4.0, client_retries=0.0),
    Inlet("app-gateway", 110.0, 0.10, 7200.0, 1.9, 0.05, 60.0, client_timeout_s=3.0, client_retries=1.0),
)


def web_shop(step_s: int = 5) -> Blueprint:
    """Return the web shop in good health; incidents are drawn for it like for any other system.

    Args:
        step_s: Telemetry step, whole seconds.
    """
    goals = (
        Goal("shop-pages", "edge-lb", "edge-lb", threshold_s=0.8, weight=0.45),
        Goal("app-requests", "app-gateway", "app-gateway", threshold_s=0.8, weight=0.45),
        Goal("orders-on-time", "order-queue", "edge-lb", threshold_s=30.0, weight=0.10, items=0.12, deadline=1.0),
    )
    rng = np.random.default_rng(SIZING_SEED)
    shop = finish(NAME, _PARTS, _LINKS, _INLETS, goals, rng, step_s, whole_schema=True)
    return replace(shop, hazards=CLASSIC)
