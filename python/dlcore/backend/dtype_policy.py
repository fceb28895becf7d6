"""DTypePolicy: in which dtype a layer computes and stores its variables."""

from dlcore.backend import dtypes


class DTypePolicy:
    """One dtype for both computing and variables.

    Args:
        name: name of a float dtype; default: the default float.
    """

    def __init__(self, name=None):
        name = dtypes.standardize_dtype(name) if not _is_mixed(name) else _refuse(name)
        self.name = self.compute_dtype = self.variable_dtype = name

    def get_config(self):
        return {"name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __eq__(self, other):
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self):
        return hash(self.name)

    def __repr__(self):
        return f"<DTypePolicy {self.name!r}>"


def _is_mixed(name):
    return isinstance(name, str) and name.startswith("mixed_")


def _refuse(name):
    raise NotImplementedError(f"The dtype policy {name!r} is not supported yet. Use a single dtype such as 'float32'.")


def get_policy(identifier):
    """A policy from a dtype's name, a policy, its configuration dict, or None."""
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return DTypePolicy(identifier.get("config", {}).get("name"))
    return DTypePolicy(getattr(identifier, "name", identifier))


def serialize_policy(policy):
    return {"module": "keras", "class_name": "DTypePolicy", "config": {"name": policy.name}, "registered_name": None}
