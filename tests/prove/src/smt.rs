//! SMT-LIB 2: a claim over terms as the text of a query; the answer `unsat` means that the claim holds.
//!
//! Variables are numbered in the order of their appearance, so that claims which only differ in the names of registers
//! have the same text, and are proved once. Division and products of 128 bits are printed as uninterpreted functions
//! with the lemmas that their uses need: a claim that holds for all functions with these lemmas holds for them.
//! [`lemmas`] returns the lemmas, which are proved separately.

use crate::term::{Op, Term, Terms};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

/// A query as text.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Query {
    /// SMT-LIB 2 without the solver's options, up to the last assertion.
    pub text: String,
    /// The terms' variables, in the order of the text's: `v0`, `v1` and so on.
    pub variables: Vec<u32>,
}

/// Name of an operation that is printed as an uninterpreted function.
fn function(op: Op, width: u32) -> Option<&'static str> {
    match op {
        // Of two 64-bit registers.
        Op::Mul if width == 128 => Some("mul"),
        Op::Udiv => Some("udiv"),
        Op::Urem => Some("urem"),
        Op::Sdiv => Some("sdiv"),
        Op::Srem => Some("srem"),
        _ => None,
    }
}

fn builtin(op: Op) -> &'static str {
    match op {
        Op::Not => "bvnot",
        Op::Neg => "bvneg",
        Op::Add => "bvadd",
        Op::Sub => "bvsub",
        Op::Mul => "bvmul",
        Op::And => "bvand",
        Op::Or => "bvor",
        Op::Xor => "bvxor",
        Op::Shl => "bvshl",
        Op::Lshr => "bvlshr",
        Op::Ashr => "bvashr",
        Op::Udiv => "bvudiv",
        Op::Urem => "bvurem",
        Op::Sdiv => "bvsdiv",
        Op::Srem => "bvsrem",
        Op::Concat => "concat",
        Op::Const(_) | Op::Var(_) | Op::Eq | Op::Ult | Op::Slt | Op::Ite | Op::Extract(_) | Op::Zext | Op::Sext => "",
    }
}

/// Makes the query for a counterexample: an assignment in which all of `assumptions` are 1 and `claim` is 0.
/// `with_functions`: see the module's documentation.
pub fn query(terms: &Terms, assumptions: &[Term], claim: Term, with_functions: bool) -> Query {
    let mut printer = Printer {
        terms,
        with_functions,
        text: String::new(),
        names: HashMap::new(),
        variables: Vec::new(),
        functions: BTreeSet::new(),
        defined: 0,
    };
    for assumption in assumptions {
        let name = printer.print(*assumption);
        let _ = writeln!(printer.text, "(assert (= {name} #b1))");
    }
    let name = printer.print(claim);
    let _ = writeln!(printer.text, "(assert (= {name} #b0))");
    let logic = if printer.functions.is_empty() { "QF_BV" } else { "QF_UFBV" };
    let mut text = format!("(set-logic {logic})\n");
    for (name, width) in &printer.functions {
        let sort = format!("(_ BitVec {width})");
        let _ = writeln!(text, "(declare-fun {name}{width} ({sort} {sort}) {sort})");
    }
    text.push_str(&printer.text);
    Query { text, variables: printer.variables }
}

struct Printer<'a> {
    terms: &'a Terms,
    with_functions: bool,
    text: String,
    names: HashMap<Term, String>,
    variables: Vec<u32>,
    functions: BTreeSet<(&'static str, u32)>,
    defined: usize,
}

impl Printer<'_> {
    /// Defines a term and its operands, and returns its name.
    fn print(&mut self, root: Term) -> String {
        let mut stack = vec![root];
        while let Some(&top) = stack.last() {
            if self.names.contains_key(&top) {
                stack.pop();
                continue;
            }
            let node = self.terms.node(top);
            let args = &node.args[..node.arity()];
            let waiting = stack.len();
            stack.extend(args.iter().rev().filter(|arg| !self.names.contains_key(arg)));
            if stack.len() > waiting {
                continue;
            }
            let name = self.define(top);
            self.names.insert(top, name);
            stack.pop();
        }
        self.names[&root].clone()
    }

    fn define(&mut self, term: Term) -> String {
        let node = self.terms.node(term);
        let width = node.width;
        let arg = |at: usize| self.names[&node.args[at]].as_str();
        let body = match node.op {
            Op::Const(value) if width.is_multiple_of(4) => {
                return format!("#x{value:0digits$x}", digits = width as usize / 4);
            }
            Op::Const(value) => return format!("#b{value:0digits$b}", digits = width as usize),
            Op::Var(variable) => {
                let name = format!("v{}", self.variables.len());
                let _ = writeln!(self.text, "(declare-fun {name} () (_ BitVec {width}))");
                self.variables.push(variable);
                return name;
            }
            Op::Eq => format!("(ite (= {} {}) #b1 #b0)", arg(0), arg(1)),
            Op::Ult => format!("(ite (bvult {} {}) #b1 #b0)", arg(0), arg(1)),
            Op::Slt => format!("(ite (bvslt {} {}) #b1 #b0)", arg(0), arg(1)),
            Op::Ite => format!("(ite (= {} #b1) {} {})", arg(0), arg(1), arg(2)),
            Op::Extract(low) => format!("((_ extract {} {low}) {})", low + width - 1, arg(0)),
            Op::Zext => format!("((_ zero_extend {}) {})", width - self.terms.width(node.args[0]), arg(0)),
            Op::Sext => format!("((_ sign_extend {}) {})", width - self.terms.width(node.args[0]), arg(0)),
            op => match function(op, width).filter(|_| self.with_functions) {
                Some(function) => {
                    let (a, b) = (arg(0).to_owned(), arg(1).to_owned());
                    let name = self.name();
                    let _ =
                        writeln!(self.text, "(define-fun {name} () (_ BitVec {width}) ({function}{width} {a} {b}))");
                    self.functions.insert((function, width));
                    for lemma in instances(function, width, &name, &a, &b) {
                        let _ = writeln!(self.text, "(assert {lemma})");
                    }
                    return name;
                }
                None => {
                    let args: Vec<&str> = (0..node.arity()).map(arg).collect();
                    format!("({} {})", builtin(op), args.join(" "))
                }
            },
        };
        let name = self.name();
        let _ = writeln!(self.text, "(define-fun {name} () (_ BitVec {width}) {body})");
        name
    }

    fn name(&mut self) -> String {
        self.defined += 1;
        format!("t{}", self.defined - 1)
    }
}

fn ones(width: u32) -> String {
    format!("(bvnot (_ bv0 {width}))")
}

/// Returns the lemmas about `result = function(a, b)` that a proof may use.
fn instances(function: &str, width: u32, result: &str, a: &str, b: &str) -> Vec<String> {
    let zero = format!("(_ bv0 {width})");
    let minus_one = ones(width);
    match function {
        "udiv" => vec![format!("(=> (= {b} {zero}) (= {result} {minus_one}))")],
        "mul" => vec![format!("(= {result} (mul{width} {b} {a}))")],
        "urem" => vec![format!("(=> (= {b} {zero}) (= {result} {a}))")],
        "sdiv" => vec![format!("(=> (= {b} {minus_one}) (= {result} (bvneg {a})))")],
        _ => vec![
            format!("(=> (= {b} {minus_one}) (= {result} {zero}))"),
            format!("(=> (= {b} {zero}) (= {result} {a}))"),
        ],
    }
}

/// Returns the lemmas, each as a query to be answered `unsat`.
pub fn lemmas() -> Vec<(String, Query)> {
    let mut lemmas = Vec::new();
    for (function, op) in [("udiv", Op::Udiv), ("urem", Op::Urem), ("sdiv", Op::Sdiv), ("srem", Op::Srem)] {
        for width in [32, 64] {
            for (number, lemma) in instances(function, width, "r", "a", "b").into_iter().enumerate() {
                let sort = format!("(_ BitVec {width})");
                let text = format!(
                    "(set-logic QF_BV)\n(declare-fun a () {sort})\n(declare-fun b () {sort})\n\
                     (define-fun r () {sort} ({} a b))\n(assert (not {lemma}))\n",
                    builtin(op)
                );
                lemmas.push((
                    format!("{function} {width} bits, lemma {}", number + 1),
                    Query { text, variables: vec![] },
                ));
            }
        }
    }
    // With built-in products, solvers know this by their own rules.
    let text = "(set-logic QF_BV)\n(declare-fun a () (_ BitVec 128))\n(declare-fun b () (_ BitVec 128))\n\
        (assert (not (= (bvmul a b) (bvmul b a))))\n";
    lemmas.push(("mul 128 bits, lemma 1".into(), Query { text: text.into(), variables: vec![] }));
    for width in [32, 64] {
        let text = format!(
            "(set-logic QF_BV)\n(declare-fun a () (_ BitVec {width}))\n(declare-fun b () (_ BitVec {width}))\n\
             (assert (not (= (bvult (bvadd a b) a) (bvult (bvadd b a) b))))\n"
        );
        lemmas.push((format!("carry {width} bits, lemma 1"), Query { text, variables: vec![] }));
    }
    lemmas.push(("upper half of signed by unsigned from unsigned".into(), mixed_product()));
    lemmas
}

/// The upper half of a product of a signed `a` and an unsigned `b` is that of the unsigned product, less `b` if `a` is
/// negative. Over the integers, where it is linear in `p = a * b` once the sign is fixed: as an unsigned number a negative
/// `a` is `a + 2^64`, so that the signed product is `p - 2^64 * b`.
fn mixed_product() -> Query {
    let text = "(set-logic QF_LIA)\n\
        (declare-fun p () Int)\n(declare-fun b () Int)\n(declare-fun h () Int)\n(declare-fun l () Int)\n\
        (declare-fun g () Int)\n(declare-fun m () Int)\n\
        (define-fun n () Int 18446744073709551616)\n\
        (assert (and (<= 0 b) (< b n)))\n\
        (assert (and (= p (+ (* n h) l)) (<= 0 l) (< l n)))\n\
        (assert (and (= (- p (* n b)) (+ (* n g) m)) (<= 0 m) (< m n)))\n\
        (assert (not (= g (- h b))))\n";
    Query { text: text.into(), variables: vec![] }
}
