using Ingot.Generation;
using NUnit.Framework;

namespace Ingot.Tests.Generation;

/// <summary>A text for each of several, in their order.</summary>
public sealed class TextRewriterTests : FolderTests
{
    [Test]
    public void WhatIsThereComesOutBeforeACancellation([Values(1, 2)] int beams)
    {
        using var generator = TextGenerator.Load(EncoderDecoderDecodingTests.WriteTranslator(In("m2m")));
        var options = generator.Options with { SourceLanguage = "en", TargetLanguage = "de", NumBeams = beams, MaxNewTokens = 5 };
        // The longest are written first: in this order, but for the fourth, which is left for the end.
        string[] sources = ["aaaaaaaaaaaa", "bbbbbbbbbbb", "", "c", "dddddddddd", "eeeeeeeee", "ffffffff"];
        var all = new TextRewriter(generator, options, batchSize: beams).Rewrite(sources).ToList();
        using var cancellation = new CancellationTokenSource();
        var order = new List<string>();
        var rewriter = new TextRewriter(generator, options, batchSize: beams)
        {
            OnWritten = text =>
            {
                order.Add(text.Source);
                if (order.Count == 5)
                    cancellation.Cancel();
            },
        };

        var texts = new List<RewrittenText>();
        Assert.That(
            () =>
            {
                foreach (var text in rewriter.Rewrite(sources, cancellation.Token))
                    texts.Add(text);
            },
            Throws.InstanceOf<OperationCanceledException>());

        Assert.That(order, Is.EqualTo(new[] { "", sources[0], sources[1], sources[4], sources[5] }));
        Assert.That(texts, Is.EqualTo(all[..3]), "those without a gap before them");
    }
}
