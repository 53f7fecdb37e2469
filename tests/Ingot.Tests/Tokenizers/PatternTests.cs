using System.Text;
using Ingot.Tokenizers.Patterns;
using Ingot.Tokenizers.Unicode;
using NUnit.Framework;

namespace Ingot.Tests.Tokenizers;

public class PatternTests
{
    [TestCase(@"\p{L}+", "a𝒜漢1", "a𝒜漢")]
    [TestCase(@"\p{N}{1,2}", "12345𝟘", "12|34|5𝟘")]
    [TestCase(@"[^\s\p{L}]+", "a😀! b", "😀!")]
    [TestCase(@".", "x😀\n", "x|😀")]
    [TestCase(@"[\x{1F600}-\x{1F64F}]", "😀x😐", "😀|😐")]
    [TestCase(@"(?i:'S|k)", "'s 'ſ K k", "'s|'ſ|K|k")]
    [TestCase(@"a++b|a", "aab ac", "aab|a")]
    [TestCase(@"a?+a", "a aa", "aa")]
    [TestCase(@"x{2}?", "xxxx", "xx|xx|")]
    [TestCase(@"^b|b$", "ab\nb\nxb", "b|b|b")]
    [TestCase(@"[a-c&&[^b]]+", "abcac", "a|cac")]
    [TestCase(@"\bx\b", "x ax x😀", "x|x")]
    [TestCase(@"(?<word>a)(?:b)(?=c)", "abc abd", "ab")]
    [TestCase(@"\u0041\x42\t[\]\-]", "AB\t]AB\t-", "AB\t]|AB\t-")]
    [TestCase(@"", "", "")]
    public void MatchesGoByCodePoints(string pattern, string text, string expected)
    {
        var regex = new CodePointRegex(pattern);
        var codePoints = CodePoints.Of(text);
        var matches = regex.Find(codePoints).Select(match => CodePoints.ToText(codePoints.AsSpan()[match.Start..match.End]));
        Assert.That(string.Join('|', matches), Is.EqualTo(expected));

        var utf8 = Encoding.UTF8.GetBytes(text);
        var inUtf8 = regex.Find(utf8.AsSpan()).Select(match => Encoding.UTF8.GetString(utf8[match.Start..match.End]));
        Assert.That(string.Join('|', inUtf8), Is.EqualTo(expected));
    }

    [TestCase("(", "( without its )")]
    [TestCase(")", ") without its (")]
    [TestCase("[a", "[ without its ]")]
    [TestCase("[b-a]", "range")]
    [TestCase("*", "repeat of nothing")]
    [TestCase("a\\", "at the end")]
    [TestCase("(a)\\1", "\\1")]
    [TestCase("\\p{Script=Han}", "Script=Han")]
    [TestCase("\\pL", "\\p without")]
    [TestCase("[[:alpha:]]", "POSIX")]
    [TestCase("(?#x)", "kind of group")]
    [TestCase("\\x{110000}", "code point")]
    [TestCase("a{1,999999}", "too many")]
    [TestCase("\\X", "\\X")]
    public void WhatIsNotSupportedIsNamed(string pattern, string named) =>
        Assert.That(() => new CodePointRegex(pattern), Throws.TypeOf<FormatException>().With.Message.Contains(named));

    [Test]
    public void DeepAndLongPatternsAreErrors()
    {
        Assert.That(() => new CodePointRegex(new string('(', 10_000)), Throws.TypeOf<FormatException>().With.Message.Contains("deeper"));
        Assert.That(() => new CodePointRegex(new string('[', 10_000)), Throws.TypeOf<FormatException>().With.Message.Contains("deeper"));
        Assert.That(() => new CodePointRegex(new string('a', 20_000)), Throws.TypeOf<FormatException>().With.Message.Contains("20000"));
    }

    [TestCase(NormalizationForm.FormC, "e\u0301 \u1112\u1161\u11ab \u212b q\u0307\u0323", "\u00e9 \ud55c \u00c5 q\u0323\u0307")]
    [TestCase(NormalizationForm.FormD, "\u00e9 \ud55c \u1e9b\u0323", "e\u0301 \u1112\u1161\u11ab \u017f\u0323\u0307")]
    [TestCase(NormalizationForm.FormKC, "\ufb01 \u1e9b\u0323 \u2460\uff21", "fi \u1e69 1A")]
    [TestCase(NormalizationForm.FormKD, "\ufb01 \u1e9b\u0323", "fi s\u0323\u0307")]
    public void NormalizationForms(NormalizationForm form, string text, string expected) =>
        Assert.That(UnicodeNormalization.Normalize(text, form), Is.EqualTo(expected));
}
