using Ingot.Chat;
using NUnit.Framework;

namespace Ingot.Tests.Chat;

/// <summary>
/// Templates that are wrong, ask for what there is not, or mean harm: an error that names line and construct, soon and in bounded memory.
/// </summary>
public class TemplateErrorTests
{
    [TestCase("a\n{% include 'x' %}", 2, "{% include %} is not supported")]
    [TestCase("{% block x %}{% endblock %}", 1, "{% block %} is not supported")]
    [TestCase("\n\n{{ x | nosuch }}", 3, "the filter 'nosuch' is not supported")]
    [TestCase("{% if x is\n nosuch %}{% endif %}", 2, "the test 'nosuch' is not supported")]
    [TestCase("{% if x %}\n\n", 1, "{% endif %} is missing")]
    [TestCase("a{% endfor %}", 1, "{% endfor %} without its beginning")]
    [TestCase("{% for x in y %}{% endif %}", 1, "{% endif %} where {% endfor %} is expected")]
    [TestCase("{% break %}", 1, "{% break %} outside a loop")]
    [TestCase("{% for x in [1] %}{% set y %}{% break %}{% endset %}{% endfor %}", 1, "{% break %} outside a loop")]
    [TestCase("\n{{ 'abc", 2, "the string that begins here has no end")]
    [TestCase("\n{{ abc", 2, "the output {{ that begins here has no end")]
    [TestCase("\n{% if", 2, "the tag {% that begins here has no end")]
    [TestCase("\n{# abc", 2, "the comment that begins here has no end")]
    [TestCase("{% raw %}{{ x }}", 1, "no {% endraw %}")]
    [TestCase("{{ (1 }}", 1, "')' is missing")]
    [TestCase("{{ 1) }}", 1, "unexpected ')'")]
    [TestCase("{{ a ? b }}", 1, "unexpected character '?'")]
    [TestCase("{{ a b }}", 1, "unexpected 'b'")]
    [TestCase("{% 5 %}", 1, "a tag begins with a name")]
    [TestCase("{{ 99999999999999999999 }}", 1, "more than 64 bits")]
    [TestCase("{{ '\\N{BULLET}' }}", 1, "\\N{…}")]
    [TestCase("{{ f(*args) }}", 1, "* before an argument is not supported")]
    [TestCase("{% set none = 1 %}", 1, "'none' cannot be set")]
    public void WhatCannotBeReadIsNamed(string template, int line, string problem)
    {
        Assert.That(
            () => ChatTemplate.Parse(template, "chat.jinja"),
            Throws.TypeOf<TemplateException>().With.Message.StartsWith($"chat.jinja, line {line}: ").And.Message.Contains(problem)
                .And.Property(nameof(TemplateException.Line)).EqualTo(line));
    }

    [TestCase("\n{{ raise_exception('no system role') }}", 2, "the template refuses: no system role")]
    [TestCase("\n{{ messages[0].name.first }}", 2, "messages[…].name is undefined, so it has no 'first'")]
    [TestCase("{{ nosuch() }}", 1, "nosuch is undefined, so it cannot be called")]
    [TestCase("{{ 'a'.nosuch() }}", 1, "value.nosuch is undefined")]
    [TestCase("{{ 'a'.format(1) }}", 1, "the method 'format' of strings is not supported")]
    [TestCase("{{ '%d' % 1 }}", 1, "formatting a string with %")]
    [TestCase("{{ 'a' + 1 }}", 1, "'+' cannot be done with the string 'a' and the number 1")]
    [TestCase("{{ 1 // 0 }}", 1, "division by zero")]
    [TestCase("{{ nosuch | int }}", 1, "nosuch is undefined, so it is no number")]
    [TestCase("{{ 'a'.partition('') }}", 1, "the separator is empty")]
    [TestCase("{{ 2 ** 64 }}", 1, "more than 64 bits")]
    [TestCase("{{ 9223372036854775807 + 1 }}", 1, "more than 64 bits")]
    [TestCase("{{ messages.append(1) }}", 1, "would change a list")]
    [TestCase("{{ messages[0].update({}) }}", 1, "would change a dictionary")]
    [TestCase("{% set messages.x = 1 %}", 1, "only attributes of namespaces can be set")]
    [TestCase("{% set a, b = [1, 2, 3] %}", 1, "3 values cannot be given to 2 names")]
    [TestCase("{{ {1: 2} }}", 1, "keys of dictionaries are strings")]
    [TestCase("{{ [1, 'a'] | sort }}", 1, "have no order")]
    [TestCase("{{ nosuch | tojson }}", 1, "nosuch, which is undefined, cannot be written as JSON")]
    [TestCase("{{ 'a' | join(',', nosuch=1) }}", 1, "the filter 'join' has no argument 'nosuch'")]
    [TestCase("{{ 'a'.replace('b') }}", 1, "lacks its argument 'new'")]
    [TestCase("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", 1, "m takes 1 arguments, not 2")]
    [TestCase("{{ strftime_now('%Q') }}", 1, "strftime_now does not know %Q")]
    [TestCase("{% macro m() %}{% generation %}a{% endgeneration %}{% endmacro %}{{ m() }}", 1, "{% generation %} inside a macro")]
    public void WhatCannotBeRenderedIsNamed(string template, int line, string problem)
    {
        ChatTemplate parsed = ChatTemplate.Parse(template, "chat.jinja");
        Assert.That(
            () => parsed.Render([new ChatMessage("user", "Hi")]),
            Throws.TypeOf<TemplateException>().With.Message.StartsWith($"chat.jinja, line {line}: ").And.Message.Contains(problem));
    }

    [TestCase("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}")]
    [TestCase("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}")]
    [TestCase("{% for a in range(100000) %}{% for b in range(100000) %}{% set x = 'abc'.split('b') %}{% endfor %}{% endfor %}")]
    [TestCase("{{ range(10 ** 18) }}")]
    [TestCase("{{ 'x' * 10 ** 18 }}")]
    [TestCase("{{ [0] * 10 ** 18 }}")]
    [TestCase("{% set ns = namespace(s='x') %}{% for i in range(100) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}")]
    [TestCase("{% set ns = namespace(s='x' * 1000000, l=[]) %}{% for i in range(100000) %}{% set ns.l = ns.l + [ns.s ~ i] %}{% endfor %}")]
    [TestCase("{% set x = 'x' * 1000000 %}{% for i in range(1000) %}{{ x }}{% endfor %}")]
    [TestCase("{% set x = 'x' * 10000 %}{{ x.replace('', x) }}")]
    [TestCase("{% set x = 'x' * 10000 %}{{ x.replace('x', x) }}")]
    [TestCase("{% set x = 'x' * 10000 %}{{ x.join(x) }}")]
    [TestCase("{% set x = 'x' * 10000 %}{{ (range(100000) | list) | join(x) }}")]
    [TestCase("{% set ns = namespace(l=[]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}")]
    [TestCase("{% set ns = namespace(l=[]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}")]
    [TestCase("{% set ns = namespace(a=[], b=[]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}"
        + "{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}")]
    [TestCase("{% set ns = namespace(l=[]) %}{% for i in range(90000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}")]
    [TestCase("{% set ns = namespace(l=[]) %}{% for i in range(90000) %}{% set ns.l = [ns.l] %}{% endfor %}"
        + "{{ ns.l | tojson(indent=1000) }}")]
    [TestCase("{% set l = range(100000) | list %}{{ l | map('string') | select('in', l | map('string') | list) | list | length }}")]
    [TestCase("{% set l = range(100000) | list %}{{ l | unique | list | length }}")]
    [TestCase("{% set x = 'ab' * 1000000 %}{% for i in range(100000) %}{% if 'c' in x %}{% endif %}{% endfor %}")]
    [TestCase("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}")]
    public void HostileTemplatesEnd(string template)
    {
        ChatTemplate parsed = ChatTemplate.Parse(template);
        Assert.That(() => parsed.Render([]), Throws.TypeOf<TemplateException>());
    }

    [TestCase("(", ")")]
    [TestCase("[", "]")]
    [TestCase("-", "")]
    [TestCase("not ", "")]
    [TestCase("{'a':", "}")]
    [TestCase("1 if 1 else ", "")]
    [TestCase("f(", ")")]
    public void DeepExpressionsAreAnError(string open, string close)
    {
        string template = $"{{{{ {string.Concat(Enumerable.Repeat(open, 100_000))}1{string.Concat(Enumerable.Repeat(close, 100_000))} }}}}";
        Assert.That(() => ChatTemplate.Parse(template), Throws.TypeOf<TemplateException>().With.Message.Contains("nested"));
    }

    [TestCase("{% if 1 %}")]
    [TestCase("{% for x in y %}")]
    [TestCase("{% macro m() %}")]
    [TestCase("{% generation %}")]
    public void DeepBlocksAreAnError(string open) =>
        Assert.That(
            () => ChatTemplate.Parse(string.Concat(Enumerable.Repeat(open, 100_000))),
            Throws.TypeOf<TemplateException>().With.Message.Contains("nested"));

    [TestCase("+")]
    [TestCase(" and ")]
    [TestCase(" or ")]
    [TestCase("|abs|")]
    public void LongChainsEndWithAResultOrAnError(string between)
    {
        string operand = between == "|abs|" ? "abs" : "1";
        ChatTemplate template = ChatTemplate.Parse($"{{{{ 1{string.Concat(Enumerable.Repeat(between + operand, 200_000))} }}}}");
        try
        {
            Assert.That(template.Render([]), Is.Not.Empty);
        }
        catch (TemplateException e)
        {
            Assert.That(e.Message, Does.Contain("nested too deeply"));
        }
    }

    [Test]
    public void RandomTemplatesNeverDoAnythingElse()
    {
        string[] pieces =
        [
            "{{", "}}", "{%", "%}", "{#", "#}", "-", "+", " ", "\n", "if", "endif", "for", "in", "endfor", "else", "set", "endset", "x",
                "messages", "=", "==", "(", ")", "[", "]",
            "{", "}", "'a'", "1", "2.5", ".", ",", "|", "length", "join", "tojson", "is", "not", "defined", "and", "or", "~", "*", "loop",
                "index", "macro", "endmacro", "call",
            "endcall", "generation", "endgeneration", "raw", "endraw", "namespace", "range", ":", "\"", "none", "true",
        ];
        var random = new Random(1);
        int rendered = 0;
        for (int i = 0; i < 20_000; i++)
        {
            string template = string.Join(
                random.Next(2) == 0 ? " " : "", Enumerable.Range(0, random.Next(1, 20)).Select(_ => pieces[random.Next(pieces.Length)]));
            try
            {
                ChatTemplate.Parse(template).Render([new ChatMessage("user", "Hi")]);
                rendered++;
            }
            catch (TemplateException e)
            {
                Assert.That(e.Message, Does.Match("^chat template, line [0-9]+: "), template);
            }
        }

        Assert.That(rendered, Is.GreaterThan(100));
    }
}
