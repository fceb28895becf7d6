"""Config: named settings that can be frozen."""

import json

from dlcore.backend import nearest_hint


class Config:
    """Settings read and written as attributes or items.

    Args:
        **kwargs: the settings.

    Raises:
        ValueError: a setting is changed after `freeze()`.
        AttributeError: there is no such setting.

    Example:

    >>> config = Config(learning_rate=0.1)
    >>> config.epochs = 5
    >>> config.as_dict()
    {'learning_rate': 0.1, 'epochs': 5}
    """

    def __init__(self, **kwargs):
        object.__setattr__(self, "_settings", kwargs)
        object.__setattr__(self, "_frozen", False)

    @property
    def frozen(self):
        return self._frozen

    def freeze(self):
        """Makes every change an error."""
        object.__setattr__(self, "_frozen", True)

    def unfreeze(self):
        """Allows changes again."""
        object.__setattr__(self, "_frozen", False)

    def _changeable(self):
        if self._frozen:
            raise ValueError("The Config is frozen: its settings can't be changed. Call unfreeze() first.")
        return self._settings

    def as_dict(self):
        """A dict of the settings."""
        return dict(self._settings)

    def to_json(self):
        """The settings as JSON text."""
        return json.dumps(self._settings)

    def keys(self):
        return self._settings.keys()

    def values(self):
        return self._settings.values()

    def items(self):
        return self._settings.items()

    def get(self, keyname, value=None):
        return self._settings.get(keyname, value)

    def pop(self, *args):
        return self._changeable().pop(*args)

    def update(self, *args, **kwargs):
        self._changeable().update(*args, **kwargs)

    def __getattr__(self, name):
        settings = object.__getattribute__(self, "_settings")
        if name in settings:
            return settings[name]
        raise AttributeError(f"The Config has no setting {name!r}. {nearest_hint(name, list(settings))}")

    def __setattr__(self, name, value):
        self._changeable()[name] = value

    def __getitem__(self, key):
        return self._settings[key]

    def __setitem__(self, key, item):
        self._changeable()[key] = item

    def __delitem__(self, key):
        del self._changeable()[key]

    def __contains__(self, item):
        return item in self._settings

    def __iter__(self):
        return iter(sorted(self._settings))

    def __len__(self):
        return len(self._settings)

    def __repr__(self):
        return f"<Config {self._settings}>"

    def __getstate__(self):
        return self.__dict__

    def __setstate__(self, state):
        self.__dict__.update(state)
