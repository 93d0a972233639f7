// The page: its parts, started in order.

import { startCall } from "/static/js/call.js";
import { startComposer } from "/static/js/composer.js";
import { connect } from "/static/js/connection.js";
import { $ } from "/static/js/dom.js";
import { icon } from "/static/js/icons.js";
import { startMessages } from "/static/js/messages.js";
import { startModals } from "/static/js/modal.js";
import { startPanel } from "/static/js/panel.js";
import { startSidebar } from "/static/js/sidebar.js";
import { on } from "/static/js/store.js";
import { startWelcome } from "/static/js/welcome.js";

for (const node of document.querySelectorAll("[data-icon]")) node.append(icon(node.dataset.icon));
startComposer();
startSidebar();
startMessages();
startCall();
startModals();
startPanel();
startWelcome();
on("online", (online) => { $("offline").hidden = online; });
connect();
