using Ingot.Bindings;
using Ingot.Explain;
using Ingot.Models;
using Ingot.Models.Bert;
using Ingot.Models.T5;
using Ingot.Tests.Encoders;
using Ingot.Tests.Generation;
using Ingot.Tests.Graphs;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Explain;

/// <summary>Texts through folders: which predictions are attributed, and what is refused.</summary>
public sealed class ModelExplainerTests : FolderTests
{
    [Test]
    public void ADecoderIsAskedWhatComesNextOrAboutATarget()
    {
        using var explainer = ModelExplainer.Load(RandomModel.Write(In("model")), Device.Cpu);
        var next = explainer.Explain("hello");
        Assert.That(next.Tokens.Select(token => token.Text), Is.EqualTo(new[] { "h", "e", "l", "l", "o" }));
        Assert.That(next.Attention, Has.Count.EqualTo(2));
        Assert.That(next.Lens.Select(layer => layer.Count), Is.EqualTo(new[] { 5, 5, 5 }));
        Assert.That(next.Lens[2].Select(reading => reading.Actual?.Id), Is.EqualTo(next.Tokens.Skip(1).Select(token => (int?)token.Id).Append(null)));
        var prediction = next.Predictions.Single();
        Assert.That((prediction.Token, prediction.Values.Target), Is.EqualTo((5, next.Lens[2][4].Top[0].Id)));
        Assert.That(Math.Exp(prediction.Values.LogProbability), Is.EqualTo(next.Lens[2][4].Top[0].Probability).Within(1e-4).Percent);
        Assert.That(next.Alignment, Is.Null);

        var target = explainer.Explain("hel", new ExplainOptions { Target = "lo", Layers = [1] });
        Assert.That(target.Tokens, Is.EqualTo(next.Tokens));
        Assert.That(target.Attention.Select(map => map.Layer), Is.EqualTo(new[] { 1 }));
        Assert.That(target.Predictions.Select(p => (p.Token, p.Text)), Is.EqualTo(new[] { (3, "l"), (4, "o") }));
        var chosen = explainer.Explain("hello", new ExplainOptions { Tokens = [1, 4] });
        Assert.That(chosen.Predictions.Select(p => (p.Token, p.Text)), Is.EqualTo(new[] { (1, "e"), (4, "o") }));
        Assert.That(chosen.Predictions[1].Values.Tokens, Is.EqualTo(target.Predictions[1].Values.Tokens));
    }

    [Test]
    public void WhatIsMaskedIsAttributed([Values] BertFlavor flavor)
    {
        EncoderFolder.Write(In("model"), EncoderFolder.Model(flavor, ModelTask.MaskedLm));
        using var explainer = ModelExplainer.Load(In("model"), Device.Cpu);
        var mask = explainer.Tokenizer.Roles.Mask;
        var explanation = explainer.Explain($"the {mask} 中");
        var at = explanation.Tokens.ToList().FindIndex(token => token.Text == mask);
        Assert.That(explanation.Tokens[at].Special);
        Assert.That(explanation.Predictions.Select(p => (p.Token, p.Values.Target)), Is.EqualTo(new[] { (at, explanation.Lens[^1][at].Top[0].Id) }));
        Assert.That(explanation.Tokens.Select(token => token.Text), Is.SupersetOf(new[] { @"\xE4", @"\xB8", @"\xAD" }), "the bytes of 中");
        Assert.That(explanation.Tokens.Select(token => token.Text), Has.None.Contains("Ġ"));
        Assert.That(explainer.Explain("the cat").Note, Does.StartWith("Nothing is masked"));
        var other = explainer.Explain($"the {mask}", new ExplainOptions { Target = "t" }).Predictions.Single();
        Assert.That(other.Text, Is.EqualTo("t"));
        Assert.That(() => explainer.Explain($"the {mask}", new ExplainOptions { Target = "zqxj" }), Throws.ArgumentException.With.Message.Contains("a mask stands for one"));
    }

    [Test]
    public void ALabelIsAttributed()
    {
        EncoderFolder.Write(In("model"), EncoderFolder.Model(BertFlavor.Bert, ModelTask.SequenceClassification));
        using var explainer = ModelExplainer.Load(In("model"), Device.Cpu);
        var explanation = explainer.Explain("the cat", new ExplainOptions { TextPair = "a dog" });
        Assert.That(explanation.Lens.Select(layer => layer.Count), Is.All.EqualTo(1));
        Assert.That(explanation.Predictions.Single().Text, Is.EqualTo(explainer.Model.Labels[explanation.Lens[^1][0].Top[0].Id]));
        Assert.That(explainer.Explain("the cat", new ExplainOptions { Target = "C" }).Predictions.Single().Values.Target, Is.EqualTo(2));
        Assert.That(() => explainer.Explain("the cat", new ExplainOptions { Target = "D" }), Throws.ArgumentException.With.Message.Contains("A, B, C"));
    }

    [Test]
    public void AnEncoderDecoderIsAskedAboutWhatItWrites()
    {
        using var explainer = ModelExplainer.Load(EncoderDecoderDecodingTests.WriteTranslator(In("model")), Device.Cpu);
        var options = new ExplainOptions { SourceLanguage = "en", TargetLanguage = "de" };
        var written = explainer.Explain("a house", options);
        Assert.That(written.Source!.Select(token => token.Text), Is.EqualTo(new[] { "__en__", "a", " ", "h", "o", "u", "s", "e", "</s>" }));
        Assert.That(written.Predictions[0].Text, Is.EqualTo("__de__"));

        var given = explainer.Explain("a house", options with { Target = "ein" });
        Assert.That(given.Tokens.Skip(1).Select(token => token.Text), Is.EqualTo(new[] { "__de__", "e", "i", "n" }));
        Assert.That(given.Predictions.Select(p => p.Text), Is.EqualTo(new[] { "__de__", "e", "i", "n", "</s>" }));
        Assert.That(given.Predictions[2].Values.Source, Has.Count.EqualTo(9));
        // Rows of the alignment are means of probabilities.
        var cross = given.Attention.Where(map => map.Part == AttentionPart.Cross).ToList();
        Assert.That(given.Alignment, Has.Length.EqualTo(5 * 9));
        Assert.That(given.Alignment!.Chunk(9).Select(row => row.Sum()), Is.All.EqualTo(1).Within(1e-6));
        var mean = cross.SelectMany(map => Enumerable.Range(0, map.Heads).Select(head => map[head, 3, 4])).Average();
        Assert.That(given.Alignment![(3 * 9) + 4], Is.EqualTo(mean).Within(1e-7));
    }

    [Test]
    public void AT5IsAskedAboutWhatItWrites()
    {
        var tokenizer = RandomModel.Characters().WithRoles(new SpecialTokenRoles { Eos = "</s>", Pad = "<pad>" });
        RandomModel.Write(In("model"), tokenizer, (T5Config)EncoderDecoderGradientTests.Models[2] with
        {
            VocabSize = tokenizer.VocabularySize,
            DecoderStart = tokenizer.PadId!.Value,
            Padding = tokenizer.PadId,
            EndOfText = [tokenizer.EosId!.Value],
        });
        using var explainer = ModelExplainer.Load(In("model"), Device.Cpu);

        var explanation = explainer.Explain("a house", new ExplainOptions { Target = "ein" });

        Assert.That(explanation.Source!.Select(token => token.Text), Is.EqualTo(new[] { "a", " ", "h", "o", "u", "s", "e", "</s>" }));
        Assert.That(explanation.Tokens.Select(token => token.Text), Is.EqualTo(new[] { "<pad>", "e", "i", "n" }));
        Assert.That(explanation.Predictions.Select(p => p.Text), Is.EqualTo(new[] { "e", "i", "n", "</s>" }));
        Assert.That(explanation.Attention.Select(map => map.Part),
            Is.EqualTo(new[] { AttentionPart.Encoder, AttentionPart.Encoder, AttentionPart.Decoder, AttentionPart.Cross }));
        Assert.That(explanation.Alignment!.Chunk(8).Select(row => row.Sum()), Is.EqualTo(new[] { 1.0, 1, 1, 1 }).Within(1e-6));
        // The lens's last row is the prediction that is attributed.
        Assert.That(explanation.Lens.Select(layer => layer.Count), Is.EqualTo(new[] { 4, 4 }));
        foreach (var (prediction, reading) in explanation.Predictions.Zip(explanation.Lens[^1]))
            Assert.That(Math.Exp(prediction.Values.LogProbability), Is.EqualTo(reading.Actual!.Value.Probability).Within(1e-4).Percent);
        Assert.That(explainer.Explain("a house").Predictions, Is.Not.Empty, "what it writes itself");
    }

    [Test]
    public void WhatDoesNotFitIsNamed()
    {
        using var explainer = ModelExplainer.Load(RandomModel.Write(In("model"), positions: 600), Device.Cpu);
        void Refuses(string message, string text, ExplainOptions? options = null) =>
            Assert.That(() => explainer.Explain(text, options), Throws.ArgumentException.With.Message.Contains(message));
        Refuses("the text has 513 tokens, and 512 are the most that can be looked at: give the part of it that matters", new string('a', 513));
        Refuses("there is no layer 2: the model's are 0 to 1", "a", new ExplainOptions { Layers = [2] });
        Refuses("there is no prediction of a token 0: give 1 to 3", "abc", new ExplainOptions { Tokens = [0] });
        Refuses("there is no prediction of a token 4", "abc", new ExplainOptions { Tokens = [4] });
        Refuses("reads one text", "abc", new ExplainOptions { TextPair = "d" });
        Refuses("languages belong to models", "abc", new ExplainOptions { TargetLanguage = "de" });
        Refuses("0 steps", "abc", new ExplainOptions { Steps = 0 });
    }

    [Test]
    public void ByteLevelTokensAreText()
    {
        var texts = new TokenTexts(EncoderFolder.Tokenizer(BertFlavor.Roberta));
        var tokenizer = EncoderFolder.Tokenizer(BertFlavor.Roberta);
        Assert.That(string.Concat(tokenizer.Encode("the cat\n sees").Select(id => texts[id])), Is.EqualTo("the cat\n sees"));
        Assert.That(texts[tokenizer.VocabularySize + 3], Is.EqualTo($"<{tokenizer.VocabularySize + 3}>"), "a model may have more rows");
    }
}
