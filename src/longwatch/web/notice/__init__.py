"""The public notice: who runs the post, what each camera records, for how long, whom to ask. Plain HTML, without a script.

Comes in: the site as its settings describe it. `page` writes it in one of four languages (`words.json`); `language_of` chooses; `code_of` draws what is scanned.
"""

from longwatch.base.messages import LANGUAGES, language_of
from longwatch.web.notice.page import STYLE, code_of, page

__all__ = ["LANGUAGES", "STYLE", "code_of", "language_of", "page"]
