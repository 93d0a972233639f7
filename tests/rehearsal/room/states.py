"""The main states of the page, each reached as a person reaches it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from playwright.async_api import Page, expect

Step = Callable[[Page], Awaitable[None]]


async def first_visit(page: Page) -> None:
    """Nothing has been done yet."""
    await expect(page.get_by_text("Myna is ready")).to_be_visible()


async def heard(page: Page) -> None:
    """A sentence was spoken, and its file lies under the answer."""
    await page.get_by_role("button", name="Join Perch").click()
    await expect(page.get_by_role("button", name="Listening")).to_be_visible()
    await page.get_by_role("button", name="Try /speak").click()
    await page.keyboard.press("Enter")
    await expect(page.locator(".from-bot .file audio")).to_have_count(1)
    await expect(page.get_by_text("Live,")).to_be_attached()


async def cloning(page: Page) -> None:
    """A recording is about to be cloned."""
    await expect(page.locator("#bot-state")).to_have_text("Myna is in Perch")
    await page.get_by_role("button", name="Try /clone").click()
    await expect(page.get_by_text("harbour-master.ogg, 29 kB")).to_be_visible()


async def cloned(page: Page) -> None:
    """The voice of the recording has spoken, and a voice message lies below."""
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="This is my own voice").click()
    await expect(page.locator(".from-bot .file audio")).to_have_count(2)
    await page.get_by_role("button", name="Record a voice message").click()
    await page.get_by_role("button", name="Send night-nurse").click()
    await expect(page.get_by_role("button", name="Play the voice message")).to_be_visible()


async def form(page: Page) -> None:
    """The bot has opened a form for a voice message."""
    message = page.get_by_role("article").last
    await message.focus()
    await page.keyboard.press("Shift+F10")
    await page.get_by_role("menuitem", name="Clone this voice").click()
    await expect(page.get_by_role("dialog", name="Clone this voice")).to_be_visible()


async def encryption(page: Page) -> None:
    """What is known of the encryption of the call."""
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="End-to-end encrypted").click()
    await expect(page.get_by_role("dialog", name="End-to-end encrypted")).to_be_visible()


async def faults(page: Page) -> None:
    """Faults can be switched on."""
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Faults").click()
    await expect(page.get_by_role("heading", name="A moderator interferes")).to_be_visible()


async def developer(page: Page) -> None:
    """What passed on the wire."""
    await page.get_by_role("button", name="Close Faults").click()
    await page.get_by_role("button", name="Developer").click()
    await expect(page.get_by_text("INTERACTION_CREATE").first).to_be_visible()


STATES: dict[str, Step] = {
    "first-visit": first_visit,
    "heard": heard,
    "cloning": cloning,
    "cloned": cloned,
    "form": form,
    "encryption": encryption,
    "faults": faults,
    "developer": developer,
}
"""In this order, each from the one before."""
