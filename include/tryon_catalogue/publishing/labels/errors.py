"""What can be wrong with labelling a picture."""


class LabelError(Exception):
    """A picture could not be labelled or marked; says what was wrong and, where it is the file, at which byte."""
