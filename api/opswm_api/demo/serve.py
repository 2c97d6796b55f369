"""After the demo: the API, with the demo system registered and its recording loaded."""

from pathlib import Path

from rich.console import Console

from opswm.evaluation.demo.incident import SYSTEM_ID
from opswm_api.demo.show import Shown
from opswm_api.serving import bind_or_any, serve_until_stopped, url_of
from opswm_api.settings import Settings
from opswm_api.storing import store_recording
from opswm_api.wiring import folder_store


def serve_incident(shown: Shown, folder: Path, checkpoint: Path | None, port: int, console: Console) -> None:
    """Serve until interrupted.

    Args:
        shown: What the demo showed.
        folder: Where the store goes; temporary.
        checkpoint: The world model; the shipped one where left out.
        port: Preferred; any free one where it is taken, which is said.
        console: Where to print.
    """
    store = folder / "store"
    with folder_store(store) as opened:
        store_recording(opened, shown.incident.recording)
    settings = Settings(store=store, database=None, checkpoint=checkpoint, port=port, workers=1)
    bound, as_asked = bind_or_any(settings.host, port)
    if not as_asked:
        console.print(f"Port {port} is taken; another one is used.")
    question = f'{{"system_id": "{SYSTEM_ID}", "at": "{shown.incident.timeline.at.isoformat()}"}}'
    console.print("\nThe API has this incident. Ask it, and stop it with Ctrl-C:")
    console.print(
        f"  curl -s {url_of(bound)}/v1/rankings -H 'content-type: application/json' -d '{question}'",
        markup=False,
        soft_wrap=True,
    )
    serve_until_stopped(settings, bound=bound, tell=lambda told: console.print(told, markup=False, soft_wrap=True))
