// A first program in each language.

export const EXAMPLES = {
  python: `import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

x = np.linspace(0, 4 * np.pi, 400)
for n in range(1, 4):
    plt.plot(x, np.sin(n * x) / n, label=f"sin {n}x / {n}")
plt.legend()
plt.savefig("waves.png", dpi=110)
print("drawn", len(x), "points")
`,
  node: `const words = "to be or not to be".split(" ");
const counts = Object.groupBy(words, (word) => word);
for (const [word, all] of Object.entries(counts)) console.log(word, all.length);
`,
  deno: `const squares: number[] = Array.from({ length: 8 }, (_, n) => n * n);
console.log(squares.join(" "));
`,
  bun: `const started: number = performance.now();
const primes = [...Array(50).keys()].filter((n) => n > 1 && ![...Array(n).keys()].some((d) => d > 1 && n % d === 0));
console.log(primes.join(" "));
`,
  go: `package main

import "fmt"

func main() {
	a, b := 0, 1
	for i := 0; i < 20; i++ {
		fmt.Print(a, " ")
		a, b = b, a+b
	}
	fmt.Println()
}
`,
  rust: `fn main() {
    let total: u64 = (1..=100).filter(|n| n % 3 == 0).sum();
    println!("{total}");
}
`,
  bash: `for second in 1 2 3; do
  echo "line $second"
  sleep 0.5
done
`,
  sql: `SELECT n, n * n AS square FROM range(1, 11) AS numbers(n);
`,
};
