// Say hello: holdfast run examples/hello.js
console.log(`Hello from Node ${process.version} inside a sandbox`);
