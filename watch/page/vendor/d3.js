// d3 as a module: its bundle is made for script tags and leaves itself in the global scope.
import "./d3.min.js";

export default globalThis.d3;
