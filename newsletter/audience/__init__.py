"""To whom: subscribers, their consent, who may be mailed, and the links that are theirs alone."""
