//! The syntax of policy expressions: the part of C# that the policies use, and nothing beyond it. What this does not know is a failed
//! test, so that no expression is deployed that was not run here.

use std::iter::Peekable;

/// An expression as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Text(String),
    Number(i64),
    Bool(bool),
    Null,
    /// A variable, a lambda's parameter, or (the first part of) the name of a type.
    Name(String),
    Member(Box<Expression>, String),
    Call(Box<Expression>, String, Vec<Expression>),
    Index(Box<Expression>, Box<Expression>),
    Cast(String, Box<Expression>),
    New(String, Vec<Expression>),
    Array(Vec<Expression>),
    Not(Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
    Conditional(Box<Expression>, Box<Expression>, Box<Expression>),
    Lambda(String, Box<Expression>),
}

impl Expression {
    /// What stands between `@(` and `)`.
    pub(crate) fn parse(text: &str) -> Self {
        let tokens = tokens(text);
        let mut parser = Parser { tokens: tokens.into_iter().peekable(), text };
        let expression = parser.expression();
        assert_eq!(parser.tokens.next(), None, "something follows the expression `{text}`");
        expression
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Text(String),
    Number(i64),
    Word(String),
    Sign(&'static str),
}

/// Longer ones before their beginnings.
const SIGNS: [&str; 23] = [
    "=>", "==", "!=", "<=", ">=", "&&", "||", "??", "(", ")", "[", "]", "{", "}", ".", ",", "?", ":", "!",
    "+", "-", "<", ">",
];

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let taken = if first == '"' {
            let (string, taken) = string(rest);
            tokens.push(Token::Text(string));
            taken
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            tokens.push(Token::Number(rest[..end].parse().unwrap()));
            end
        } else if first.is_ascii_alphabetic() {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            end
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.unwrap_or_else(|| panic!("`{first}` is not known in `{text}`"));
            tokens.push(Token::Sign(sign));
            sign.len()
        };
        rest = rest[taken..].trim_start();
    }
    tokens
}

/// A regular string literal, and how long it is as written.
fn string(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, at + 1),
            '\\' => value.push(match characters.next() {
                Some((_, 'n')) => '\n',
                Some((_, same @ ('"' | '\\'))) => same,
                other => panic!("the escape {other:?} is not known in `{text}`"),
            }),
            other => value.push(other),
        }
    }
    panic!("a string without an end: `{text}`")
}

struct Parser<'a, I: Iterator<Item = Token>> {
    tokens: Peekable<I>,
    text: &'a str,
}

/// Weakest first; each level is left-associative.
const LEVELS: [&[&str]; 5] = [&["||"], &["&&"], &["==", "!="], &["<", ">", "<=", ">="], &["+", "-"]];

/// The types that may be cast to.
const TYPES: [&str; 5] = ["string", "bool", "int", "long", "IResponse"];

impl<I: Iterator<Item = Token> + Clone> Parser<'_, I> {
    fn expression(&mut self) -> Expression {
        let condition = self.coalesced();
        if !self.take("?") {
            return condition;
        }
        let yes = self.expression();
        self.must(":");
        Expression::Conditional(condition.into(), yes.into(), self.expression().into())
    }

    fn coalesced(&mut self) -> Expression {
        let first = self.binary(0);
        if self.take("??") { Expression::Binary("??", first.into(), self.coalesced().into()) } else { first }
    }

    fn binary(&mut self, level: usize) -> Expression {
        let Some(signs) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1);
        while let Some(sign) = signs.iter().find(|sign| self.take(sign)) {
            left = Expression::Binary(sign, left.into(), self.binary(level + 1).into());
        }
        left
    }

    fn unary(&mut self) -> Expression {
        if self.take("!") {
            return Expression::Not(self.unary().into());
        }
        let mut ahead = self.tokens.clone();
        if let (Some(Token::Sign("(")), Some(Token::Word(name)), Some(Token::Sign(")"))) =
            (ahead.next(), ahead.next(), ahead.next())
            && TYPES.contains(&name.as_str())
        {
            self.tokens = ahead;
            return Expression::Cast(name, self.unary().into());
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Expression {
        let mut value = self.primary();
        loop {
            if self.take(".") {
                let mut name = self.word();
                let mut ahead = self.tokens.clone();
                if let (Some(Token::Sign("<")), Some(Token::Word(kind)), Some(Token::Sign(">"))) =
                    (ahead.next(), ahead.next(), ahead.next())
                    && ahead.peek() == Some(&Token::Sign("("))
                {
                    self.tokens = ahead;
                    name = format!("{name}<{kind}>");
                }
                value = if self.take("(") {
                    Expression::Call(value.into(), name, self.list(")"))
                } else {
                    Expression::Member(value.into(), name)
                };
            } else if self.take("[") {
                let index = self.expression();
                self.must("]");
                value = Expression::Index(value.into(), index.into());
            } else {
                return value;
            }
        }
    }

    fn primary(&mut self) -> Expression {
        match self.tokens.next() {
            Some(Token::Text(text)) => Expression::Text(text),
            Some(Token::Number(number)) => Expression::Number(number),
            Some(Token::Sign("(")) => {
                let inner = self.expression();
                self.must(")");
                inner
            }
            Some(Token::Word(word)) => match word.as_str() {
                "true" => Expression::Bool(true),
                "false" => Expression::Bool(false),
                "null" => Expression::Null,
                "new" if self.take("[") => {
                    self.must("]");
                    self.must("{");
                    Expression::Array(self.list("}"))
                }
                "new" => {
                    let name = self.word();
                    self.must("(");
                    Expression::New(name, self.list(")"))
                }
                _ if self.take("=>") => Expression::Lambda(word, self.expression().into()),
                _ => Expression::Name(word),
            },
            other => panic!("{other:?} is not known in `{}`", self.text),
        }
    }

    fn list(&mut self, end: &'static str) -> Vec<Expression> {
        let mut list = Vec::new();
        if self.take(end) {
            return list;
        }
        loop {
            list.push(self.expression());
            if self.take(end) {
                return list;
            }
            self.must(",");
        }
    }

    fn word(&mut self) -> String {
        match self.tokens.next() {
            Some(Token::Word(word)) => word,
            other => panic!("{other:?} where a name should be in `{}`", self.text),
        }
    }

    fn take(&mut self, sign: &'static str) -> bool {
        self.tokens.next_if_eq(&Token::Sign(sign)).is_some()
    }

    fn must(&mut self, sign: &'static str) {
        assert!(self.take(sign), "`{sign}` is missing in `{}`, before {:?}", self.text, self.tokens.peek());
    }
}
