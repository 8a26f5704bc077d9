// What the browser and the popup tell the extension. The browser puts this worker to sleep when nothing happens and wakes it
// with the next event: all that has to last is kept by walk.js.
import {closed, hear, late, permitted, start, stop} from './walk.js';

chrome.runtime.onMessage.addListener((message) => void (message.start ? start(message.start) : stop('')));
chrome.permissions.onAdded.addListener(() => permitted());
chrome.tabs.onUpdated.addListener((id, {title}, {url, active}) => title && hear({tab: id, title, url, active}));
chrome.tabs.onRemoved.addListener((id) => closed(id));
chrome.alarms.onAlarm.addListener(() => late());
