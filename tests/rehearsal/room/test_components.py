"""Layouts, menus, forms for files, and what can be done with a person."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from rehearsal.recordings import RECORDINGS
from tests.rehearsal.room.conftest import OpenRoom
from tests.rehearsal.room.test_commands import line, use

pytestmark = pytest.mark.asyncio(loop_scope="package")


async def test_a_layout_is_shown_and_its_button_changes_it(practice: OpenRoom, visit):
    page = await visit(practice)
    await use(page, "layout")

    container = page.locator(".components .container")
    await expect(container.locator("strong")).to_have_text("hungry")
    await expect(container.locator("hr")).to_have_count(1)
    await page.get_by_role("button", name="Feed it").click()

    await expect(page.get_by_text("It has eaten.")).to_be_visible()
    await expect(container).to_have_count(0)


async def test_several_things_are_chosen_together_and_not_more_than_allowed(practice: OpenRoom, visit):
    page = await visit(practice)
    await use(page, "several")
    menu = page.get_by_label("Choose birds")

    await menu.select_option(
        label=[f"{n} — the {n.lower()}" for n in ("Alpine Chough", "Barn Owl", "Hill Myna")]
    )
    await page.get_by_role("button", name="Choose", exact=True).click()
    await expect(page.get_by_role("alert").filter(has_text="choose 1 to 2, not 3")).to_be_visible()
    await menu.select_option(label=[f"{n} — the {n.lower()}" for n in ("Barn Owl", "Hill Myna")])
    await page.get_by_role("button", name="Choose", exact=True).click()

    await expect(page.get_by_text("You chose Barn Owl and Hill Myna.")).to_be_visible()


async def test_a_menu_of_people_offers_those_who_are_here(practice: OpenRoom, visit):
    page = await visit(practice)
    await use(page, "who")

    await page.get_by_label("Choose somebody").select_option("Wren")

    await expect(page.get_by_text("You chose @Wren.")).to_be_visible()


async def test_a_form_takes_a_file(practice: OpenRoom, visit):
    page = await visit(practice)
    await use(page, "file")
    form = page.get_by_role("dialog", name="Send a file")
    data = RECORDINGS[0].path.read_bytes()

    await form.get_by_label("What it is").select_option("call")
    await form.get_by_role("button", name="Submit").click()
    await expect(form.get_by_role("alert")).to_contain_text("The file")
    await form.get_by_label("The file").set_input_files(RECORDINGS[0].path)
    await form.get_by_role("button", name="Submit").click()

    await expect(page.get_by_text(f"A call of {len(data)} bytes.")).to_be_visible()


async def test_the_commands_for_people_are_in_the_menu_of_a_name(practice: OpenRoom, visit):
    page = await visit(practice)
    await line(page).fill("Here I am.")
    await line(page).press("Enter")

    await page.get_by_role("button", name="What to do with Robin").click()
    await page.get_by_role("menuitem", name="Wave at").click()
    await expect(page.get_by_text("@Robin waves at @Robin.")).to_be_visible()
    await page.get_by_role("button", name="Perch", exact=False).first.click()
    await page.get_by_role("button", name="Robin (you)").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem", name="Wave at")).to_be_focused()
    await page.keyboard.press("Enter")

    await expect(page.get_by_text("@Robin waves at @Robin.")).to_be_visible()


async def test_the_menu_of_a_name_makes_the_tab_somebody_else(practice: OpenRoom, visit):
    robin = await visit(practice)
    maud = await visit(practice)
    await line(maud).fill("Good morning.")
    await line(maud).press("Enter")

    await robin.get_by_role("button", name="What to do with Maud").click(button="right")
    await robin.get_by_role("menuitem", name="Be Maud in this tab").click()

    await expect(robin.locator("#act-as option:checked")).to_have_text("Maud, moderator")
