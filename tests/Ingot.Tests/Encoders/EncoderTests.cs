using Ingot.Bindings;
using Ingot.Encoders;
using Ingot.Models;
using Ingot.Models.Bert;
using Ingot.Tests.Graphs;
using NUnit.Framework;

namespace Ingot.Tests.Encoders;

/// <summary>Classifiers and embeddings of folders, against the reference in double precision.</summary>
public sealed class EncoderTests
{
    private static readonly string[] Texts = ["the cat sees the moon", "dog", "the river, and the dog hears the moon!"];

    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void Prepare() => _directory = new TemporaryDirectory();

    [TearDown]
    public void Clean() => _directory.Dispose();

    [Test]
    public void ProbabilitiesOfLabelsAreThoseOfTheReference([Values] BertFlavor flavor, [Values(null, "the moon")] string? pair)
    {
        var model = EncoderFolder.Model(flavor, ModelTask.SequenceClassification);
        var values = EncoderFolder.Write(_directory["model"], model);
        using var classifier = TextClassifier.Load(_directory["model"], Device.Cpu, batchSize: 4);

        // Together, so that the shorter ones are padded, in a batch with an empty row.
        var found = classifier.Classify(Texts.Select(text => (text, pair)));

        foreach (var (text, labels) in Texts.Zip(found))
        {
            var encoding = EncoderFolder.Tokenizer(flavor).Tokenize(text, pair);
            var reference = new ReferenceEncoder(model, values, encoding.Ids.Length);
            var logits = reference.Logits(reference.BeforeHead(encoding.Ids, encoding.TypeIds, null))[0];
            var sum = logits.Sum(Math.Exp);
            Assert.That(labels.Select(label => label.Score), Is.Ordered.Descending);
            foreach (var (label, score) in labels)
                Assert.That(score, Is.EqualTo(Math.Exp(logits["ABC".IndexOf(label[0])]) / sum).Within(1e-5), text);
        }
    }

    [Test]
    public void WordsHaveTheLabelsOfTheirFirstTokens()
    {
        var model = EncoderFolder.Model(BertFlavor.Bert, ModelTask.TokenClassification);
        var values = EncoderFolder.Write(_directory["model"], model);
        using var classifier = TextClassifier.Load(_directory["model"], Device.Cpu);

        const string Text = "  the moonlight\thears us ";
        var words = classifier.ClassifyWords([Text])[0];

        Assert.That(words.Select(word => word.Word), Is.EqualTo(["the", "moonlight", "hears", "us"]));
        Assert.That(words.Select(word => Text[word.Start..word.End]), Is.EqualTo(words.Select(word => word.Word)));
        var encoding = EncoderFolder.Tokenizer(BertFlavor.Bert).Tokenize("the moonlight hears us");
        var reference = new ReferenceEncoder(model, values, encoding.Ids.Length);
        var logits = reference.Logits(reference.BeforeHead(encoding.Ids, null, null));
        foreach (var (word, start) in words.Zip((int[])[0, 4, 14, 20]))
        {
            // The token that holds the word's first letter.
            var token = Array.FindIndex(encoding.Offsets, offset => offset.Start <= start && start < offset.End);
            var scores = logits[token].Select(Math.Exp).ToArray();
            Assert.That(word.Score, Is.EqualTo(scores.Max() / scores.Sum()).Within(1e-5), word.Word);
            Assert.That(word.Label[0], Is.EqualTo("ABC"[Array.IndexOf(scores, scores.Max())]), word.Word);
        }
    }

    [Test]
    public async Task VectorsAreThePooledStates([Values] Pooling pooling, [Values] bool normalize, [Values] BertFlavor flavor)
    {
        var model = EncoderFolder.Model(flavor, ModelTask.MaskedLm);
        var values = EncoderFolder.Write(_directory["model"], model);
        using var encoder = SentenceEncoder.Load(_directory["model"], Device.Cpu, pooling: pooling, normalize: normalize);

        var generated = await encoder.GenerateAsync(Texts);

        foreach (var (text, vector) in Texts.Zip(generated))
        {
            var ids = EncoderFolder.Tokenizer(flavor).Tokenize(text).Ids;
            var states = new ReferenceEncoder(model, values, ids.Length).Hidden(ids, null, null);
            var expected = Enumerable.Range(0, model.Width)
                .Select(i => pooling == Pooling.Cls ? states[0][i] : states.Average(row => row[i])).ToArray();
            var norm = normalize ? Math.Sqrt(expected.Sum(v => v * v)) : 1;
            Assert.That(vector.Vector.ToArray(), Is.EqualTo(expected.Select(v => v / norm)).Within(2e-5), text);
        }
    }

    [Test]
    public void ATextLongerThanThePositionsIsCutOnlyIfAsked()
    {
        EncoderFolder.Write(_directory["model"], EncoderFolder.Model(BertFlavor.Bert, ModelTask.SequenceClassification));
        var text = string.Concat(Enumerable.Repeat("xyz ", 30));
        using (var classifier = TextClassifier.Load(_directory["model"], Device.Cpu))
        {
            Assert.That(() => classifier.Classify(text),
                Throws.TypeOf<InvalidDataException>().With.Message.Contains("48 positions").And.Message.Contains("truncation"));
        }

        using var cutting = TextClassifier.Load(_directory["model"], Device.Cpu, truncation: true);
        Assert.That(cutting.Classify(text), Has.Count.EqualTo(3));
    }

    [Test]
    public void AFolderWithoutLabelsIsNoClassifier()
    {
        EncoderFolder.Write(_directory["model"], EncoderFolder.Model(BertFlavor.Bert, ModelTask.MaskedLm));
        Assert.That(() => TextClassifier.Load(_directory["model"], Device.Cpu),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("masked-lm").And.Message.Contains("fine-tune"));
        Generation.RandomModel.Write(_directory["gpt2"]);
        Assert.That(() => SentenceEncoder.Load(_directory["gpt2"], Device.Cpu),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("gpt2").And.Message.Contains("bert and roberta"));
    }
}
