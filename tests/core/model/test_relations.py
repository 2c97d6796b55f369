"""Messages go along and against relations, and no further than one relation per round."""

import torch

from opswm.model.relations import RelationalMessages, index_relations
from tests.core.model.queue_world import QueueWorld

WIDTH, HEARD = 7, 5


def heard_after_poke(entity: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return which entities of a chain of four hear, along and against, that one of them changed."""
    relations = index_relations(QueueWorld(entities=4).structure(2), torch.float32)
    torch.manual_seed(0)
    messages = RelationalMessages(WIDTH, HEARD)
    x = torch.randn(2, 4, 3, WIDTH)
    poked = x.clone()
    poked[1, entity, 2] += 1.0
    change = (messages(poked, relations) - messages(x, relations)).abs().detach()
    assert float(change[0].sum()) == 0.0, "another decision point heard it"
    assert float(change[1, :, :2].sum()) == 0.0, "another course heard it"
    return change[1, :, 2, :HEARD].sum(-1) > 0, change[1, :, 2, HEARD : 2 * HEARD].sum(-1) > 0


def test_load_flows_down_and_backpressure_up() -> None:
    """In a chain the second service is heard by the third along the relation and by the first against it."""
    along, against = heard_after_poke(1)
    assert along.tolist() == [False, False, True, False]
    assert against.tolist() == [True, False, False, False]


def test_a_hub_is_not_drowned() -> None:
    """An entity that hears ten equal messages hears them as the root of ten of one."""
    single, many = QueueWorld(entities=2).structure(1), QueueWorld(entities=11).structure(1)
    star = torch.tensor([[[i, 10] for i in range(10)]])
    torch.manual_seed(0)
    messages = RelationalMessages(WIDTH, HEARD)
    one = messages(torch.ones(1, 2, 1, WIDTH), index_relations(single, torch.float32))[0, 1, 0, :HEARD]
    many.relation.copy_(star)
    ten = messages(torch.ones(1, 11, 1, WIDTH), index_relations(many, torch.float32))[0, 10, 0, :HEARD]
    torch.testing.assert_close(ten, one * 10**0.5)
