// What the charts of the page need of Vega, as one module. The interpreter stands in for code made from text.
export { parse, View, Warn } from "vega";
export { expressionInterpreter } from "vega-interpreter";
export { compile } from "vega-lite";
