"""Study completion: when nothing more of a study has come for a while, the site may act on it as a whole.

The index decides when that is, and keeps who is still to be told. Reception knows nothing of all this but
one call, with the study of an object that is registered.
"""
