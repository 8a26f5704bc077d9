// Draws the charts of a report and opens what is folded before it is printed.
/* global vegaEmbed */
const specs = JSON.parse(document.getElementById('specs').textContent);

const config = {
  background: null,
  font: 'system-ui, sans-serif',
  view: {stroke: null},
  axis: {
    labelColor: 'currentColor',
    titleColor: 'currentColor',
    tickColor: 'currentColor',
    domainColor: 'currentColor',
    gridColor: 'currentColor',
    gridOpacity: 0.13,
    domainOpacity: 0.4,
    tickOpacity: 0.4,
    labelFontSize: innerWidth < 480 ? 10.5 : 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
  },
};

for (const place of document.querySelectorAll('[data-chart]')) {
  // `ast`: expressions are interpreted, so the page needs no eval.
  const options = {mode: 'vega-lite', renderer: 'svg', actions: false, ast: true, config, tooltip: {disableDefaultStyle: true}};
  vegaEmbed(place, specs[place.dataset.chart], options).catch((error) => {
    place.textContent = `The chart could not be drawn: ${error.message}`;
  });
}

addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details')) details.open = true;
});
