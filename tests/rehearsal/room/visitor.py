"""What a visitor of the page does and sees, in the words of the tests."""

from __future__ import annotations

import re

from playwright.async_api import Locator, Page, expect

LONG = (
    "Here comes a sentence that takes a while, so that there is time enough to do something to the bot in it."
)
A_WHILE = 60_000  # milliseconds: what a very busy machine may need


def state(page: Page) -> Locator:
    return page.locator("#bot-state")


def told(page: Page) -> Locator:
    return page.locator("#told")


async def command(page: Page, name: str, text: str = "") -> Locator:
    """Use a command and return its answer, once the bot has nothing more to say to it."""
    answer = await begin(page, name, text)
    await finished(answer)
    return answer


async def begin(page: Page, name: str, text: str = "") -> Locator:
    """Use a command and return where its answer grows."""
    used = page.locator(".used", has_text=f"/{name}")  # the bot says more than answers: it greets, it reports
    answers = page.locator(".message.from-bot", has=used)
    before = await answers.count()
    await page.get_by_label("Message, or a command").fill(f"/{name} ")
    await page.get_by_role("group", name=f"The command /{name}").wait_for()
    await page.keyboard.type(text)
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(answers).to_have_count(before + 1)
    return answers.nth(before)


async def finished(answer: Locator) -> None:
    """Wait until the bot promises nothing more."""
    await expect(answer.locator(".text")).not_to_have_text(re.compile(" …$"), timeout=A_WHILE)


async def choose(page: Page, switch: str, label: str, *, words: str) -> None:
    await page.get_by_label(switch, exact=True).select_option(label=label)
    await expect(told(page)).to_contain_text(words)


async def into_voice(page: Page, channel: str = "Perch") -> None:
    """Be in a voice channel with the bot, and listen."""
    await page.get_by_role("button", name=channel, exact=False).first.click()
    await expect(page.get_by_role("button", name="Listening")).to_be_visible()
    await expect(
        page.get_by_role("heading", name=channel).and_(page.locator("#channel-name"))
    ).to_be_visible()
    await command(page, "join")
    await expect(state(page)).to_contain_text(f"is in {channel}")
    await expect(page.get_by_role("button", name="End-to-end encrypted")).to_be_visible()


async def speaking(page: Page) -> Locator:
    """Let the bot say something long, and return when it is heard."""
    answer = await begin(page, "speak", LONG)
    await expect(state(page)).to_contain_text("speaks in", timeout=A_WHILE)
    return answer


async def pieces(page: Page) -> int:
    """Return how many pieces of sound the page has played."""
    count: int = await page.evaluate(
        'import("/static/js/listen.js").then(({ listening }) => listening.pieces)'
    )
    return count


async def heard_again(page: Page) -> None:
    """Wait for more sound than can have been on its way already."""
    before = await pieces(page)
    await page.wait_for_function(
        """async (before) => {
          const { listening } = await import("/static/js/listen.js");
          return listening.pieces > before + 50;
        }""",
        arg=before,
        timeout=A_WHILE,
    )


async def into_the_open(page: Page) -> None:
    """Be in #general and in no voice channel, with the faults open and the bot at rest."""
    leave = page.get_by_role("button", name="Leave", exact=True)
    await expect(state(page)).to_contain_text("Myna")
    if await leave.is_visible():
        await leave.click()
    await expect(leave).to_have_count(0)
    if not await page.get_by_role("heading", name="A moderator interferes").is_visible():
        await page.get_by_role("button", name="Faults", exact=True).click()
    await page.get_by_role("button", name="general", exact=False).first.click()
    await expect(page.get_by_role("heading", name="general")).to_be_visible()
    await expect(state(page)).to_contain_text(re.compile("is ready|is in"), timeout=A_WHILE)
