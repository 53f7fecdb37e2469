using System.Text;
using Ingot.Chat;
using Ingot.Scoring;
using NUnit.Framework;

namespace Ingot.Tests.Scoring;

/// <summary>Perplexity against sums over a model in double precision.</summary>
public sealed class PerplexityMeterTests : ByteModelTests
{
    private const string Text = "Es war einmal ein König, der hatte zwölf Töchter, eine immer schöner als die andere. They slept in one hall.";

    [TestCase(24, 12, true)]
    [TestCase(24, 24, true)]
    [TestCase(24, 1, false)]
    [TestCase(17, 5, false)]
    [TestCase(1, 1, true)]
    public void WindowsSlideAsInTheGuide(int length, int stride, bool prefix)
    {
        List<int> tokens = [.. prefix ? [Bytes.End] : Array.Empty<int>(), .. Bytes.Tokenizer.Encode(Text)];
        var (sum, count) = Strided(tokens, length + 1, stride);
        var result = PerplexityMeter.Run(Model, [Write("text.txt", Text)],
            new PerplexityOptions { MaxLength = length, Stride = stride, AddPrefix = prefix });

        Assert.That(result.Tokens, Is.EqualTo(count));
        Assert.That(result.LogLikelihood / count, Is.EqualTo(sum / count).Within(Tolerance));
        Assert.That(result.Perplexity, Is.EqualTo(Math.Exp(-sum / count)).Within(Tolerance * Math.Exp(-sum / count)));
        // The first byte is predicted only after a prefix, and the first character is a byte.
        var bytes = Encoding.UTF8.GetByteCount(Text) - (prefix ? 0 : 1);
        Assert.That((result.Bytes, result.Characters), Is.EqualTo((bytes, Text.Length - (prefix ? 0 : 1))));
        Assert.That(result.BitsPerByte, Is.EqualTo(-sum / Math.Log(2) / bytes).Within(Tolerance * 8));
    }

    [Test]
    public void DocumentsFollowOneAnotherOrStandAlone()
    {
        string[] texts = ["One day.", "x", "Two days, and three nights besides."];
        var path = Write("texts.jsonl", string.Concat(texts.Select(text => $"{{\"text\": \"{text}\"}}\n")));

        var alone = PerplexityMeter.Run(Model, [path], new PerplexityOptions { SeparateDocuments = true });
        var sums = texts.Select(text => Strided([Bytes.End, .. Bytes.Tokenizer.Encode(text)], 25, 12).Sum).ToArray();
        Assert.That(alone.Documents.Select(document => document.Place), Is.EqualTo(new[] { $"{path}:1", $"{path}:2", $"{path}:3" }));
        Assert.That(alone.Documents.Select(document => document.LogLikelihood), Is.EqualTo(sums).Within(36 * Tolerance));
        Assert.That(alone.MeanPerplexity, Is.EqualTo(sums.Zip(texts, (sum, text) => Math.Exp(-sum / text.Length)).Average()).Within(1e-4).Percent);

        // Ends of text are read, but they are no text.
        List<int> tokens = [Bytes.End, .. texts.SelectMany(text => Bytes.Tokenizer.Encode(text).Append(Bytes.End))];
        var together = PerplexityMeter.Run(Model, [path]);
        var (sum, count) = Strided(tokens, 25, 12, id => id != Bytes.End);
        Assert.That((together.Documents.Count, together.Tokens, together.Bytes), Is.EqualTo((1, count, count)));
        Assert.That(together.LogLikelihood / count, Is.EqualTo(sum / count).Within(Tolerance));
    }

    [Test]
    public void OfConversationsTheAnswersCount()
    {
        var path = Write("chats.jsonl", """
            {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]}
            {"messages": [{"role": "user", "content": "hm"}, {"role": "assistant", "content": "no, no"}]}

            """);
        var template = ChatTemplate.Parse("{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% endfor %}{% if add_generation_prompt %}a:{% endif %}");
        var result = PerplexityMeter.Run(Model, [path], new PerplexityOptions { ChatTemplate = template });

        // What a template writes behind an answer is a part of it.
        (string Before, string Answer)[] chats = [("u:hi;a:", "yes;"), ("u:hm;a:", "no, no;")];
        var sums = chats.Select(chat => Bytes.LogProbabilities(Bytes.Tokenizer.Encode(chat.Before + chat.Answer)).TakeLast(chat.Answer.Length).Sum());
        Assert.That(result.Documents.Select(document => document.Tokens), Is.EqualTo(new[] { 4, 7 }));
        Assert.That(result.Documents.Select(document => document.LogLikelihood), Is.EqualTo(sums).Within(7 * Tolerance));
        Assert.That(result.Signature.ToString(), Is.EqualTo("of:answers|ctx:24|stride:12|prefix:none|precision:fp32|version:ingot"));
        Assert.That(result.ToScore().Measures, Does.Not.ContainKey("bits_per_byte"));
    }

    [Test]
    public void WhatCannotBeScoredIsNamed()
    {
        var text = Write("text.txt", Text);
        var chats = Write("chats.jsonl", """{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]}""");
        Refuses<ArgumentException>("maxLength is 25, but must be 1 to 24", [text], new() { MaxLength = 25 });
        Refuses<ArgumentException>("stride is 9, but must be 1 to 8", [text], new() { MaxLength = 8, Stride = 9 });
        Refuses<InvalidDataException>("some of it is text, some are examples", [text, chats], new());
        Refuses<InvalidDataException>("chats.jsonl:1: a conversation needs a chat template", [chats], new());
        Refuses<InvalidDataException>("no token to predict", [Write("short.txt", "a")], new() { AddPrefix = false });

        void Refuses<T>(string message, string[] data, PerplexityOptions options)
            where T : Exception =>
            Assert.That(() => PerplexityMeter.Run(Model, data, options), Throws.TypeOf<T>().With.Message.Contains(message));
    }

    /// <summary>The loop of Hugging Face's guide, whose windows hold their last target.</summary>
    private (double Sum, long Count) Strided(List<int> tokens, int maxLength, int stride, Func<int, bool>? counts = null)
    {
        var (sum, count, previousEnd) = (0.0, 0L, 0);
        for (var begin = 0; begin < tokens.Count; begin += stride)
        {
            var end = Math.Min(begin + maxLength, tokens.Count);
            var window = tokens[begin..end];
            if (window.Count > 1)
            {
                foreach (var (i, logProbability) in Bytes.LogProbabilities(window).Index())
                {
                    if (begin + 1 + i < previousEnd || !(counts ?? (_ => true))(window[i + 1]))
                        continue;
                    (sum, count) = (sum + logProbability, count + 1);
                }
            }

            previousEnd = end;
            if (end == tokens.Count)
                break;
        }

        return (sum, count);
    }
}
