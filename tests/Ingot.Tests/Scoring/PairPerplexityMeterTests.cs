using System.Text;
using System.Text.Json;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Evaluation;
using Ingot.Models;
using Ingot.Pairs;
using Ingot.Scoring;
using Ingot.Tests.Runs;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Scoring;

/// <summary>Perplexity of encoder-decoders, of targets given their sources.</summary>
public sealed class PairPerplexityMeterTests : PairRuns
{
    private static readonly (string Source, string Target)[] Held =
        [("red sun", "sun red"), ("old old sea red", "red sea old old"), ("sea", "sea — ä"), ("sun red old", "old red sun")];

    [Test]
    public void ItIsTheLossOfTrainingAndOfTheTokensOneByOne([Values("marian", "m2m_100")] string family)
    {
        Write("held.tsv", string.Concat(Held.Select(pair => $"{pair.Source}\t{pair.Target}\n")));
        var result = Train(Reversing(family) with { EvalData = In("held.tsv"), MaxSteps = 8, EvalIterations = 0 });
        var languages = family == "marian" ? new PairFields() : new PairFields { SourceLanguage = "xx", TargetLanguage = "zz" };
        PerplexityResult measured;
        using (var model = LikelihoodModel.Load(result.ModelDirectory, Device.Cpu, batchSize: 3))
            measured = PairPerplexityMeter.Run(model, [In("held.tsv")], new PairPerplexityOptions { Fields = languages });

        Assert.That(Math.Log(measured.Perplexity), Is.EqualTo(result.EvalLoss!.Value).Within(1e-5));

        // Each token's log-probability by the decoder with its caches, summed in double precision.
        var (config, parameters) = ModelFiles.LoadModel(result.ModelDirectory, Device.Cpu, DType.F32, training: false);
        using var decoder = new Ingot.Generation.Decoder(config, parameters);
        var tokenizer = Tokenizer.Load(result.ModelDirectory);
        var encoder = new PairEncoder(tokenizer, 1);
        var (all, tokens) = (0.0, 0);
        foreach (var (i, (source, target)) in Held.Index())
        {
            var from = encoder.EncodeSource(source, family == "marian" ? null : tokenizer.TokenToId("__xx__"));
            var to = encoder.EncodeTarget(target, family == "marian" ? null : tokenizer.TokenToId("__zz__"));
            List<int> read = [((EncoderDecoderConfig)config).DecoderStart];
            var sum = 0.0;
            foreach (var token in to)
            {
                sum += LogProbability(decoder.Logits(read, from), token);
                read.Add(token);
            }

            Assert.That(measured.Documents[i].LogLikelihood, Is.EqualTo(sum).Within(1e-4), target);
            Assert.That(measured.Documents[i].Tokens, Is.EqualTo(to.Length));
            Assert.That(measured.Documents[i].Place, Is.EqualTo($"{In("held.tsv")}:{i + 1}"));
            (all, tokens) = (all + sum, tokens + to.Length);
        }

        parameters.Dispose();
        var bytes = Held.Sum(pair => Encoding.UTF8.GetByteCount(pair.Target));
        Assert.That((measured.Tokens, measured.Bytes), Is.EqualTo(((long)tokens, (long)bytes)));
        Assert.That(measured.BitsPerByte, Is.EqualTo(-all / Math.Log(2) / bytes).Within(1e-5));
        Assert.That(measured.Signature.ToString(), Does.StartWith("of:targets|ctx:"));
    }

    [Test]
    public void AnEvaluationReadsFieldsAndSaysWhatIsLeftOut()
    {
        var folder = Train(Reversing("marian") with { MaxSteps = 1 }).ModelDirectory;
        Write("pairs.jsonl", """{"en": "red sun", "de": {"text": "sun red"}}""" + "\n" + """{"en": "", "de": {"text": "sun"}}""" + "\n");
        var options = new EvaluationOptions
        {
            Metric = ["perplexity"],
            Model = folder,
            Data = [In("pairs.jsonl")],
            SourceField = "en",
            TargetField = "de.text",
            Device = "cpu",
            Output = In("out.jsonl"),
        };
        var warnings = new List<string>();
        var score = ModelEvaluation.Run(options, warnings.Add).Single().Score;

        Assert.That(warnings, Has.Count.EqualTo(1).And.Some.Contains("1 records"));
        Assert.That(score.ToString(), Does.StartWith("perplexity|of:targets|ctx:512|precision:fp32|version:ingot = ").And.Contain("bits/byte"));
        var line = JsonDocument.Parse(File.ReadAllLines(In("out.jsonl")).Single()).RootElement;
        Assert.That(line.GetProperty("bytes").GetInt32(), Is.EqualTo(7));

        Refuses<ArgumentException>(options with { Stride = 4 }, "stride", "marian");
        Refuses<InvalidDataException>(options with { TargetLanguage = "de" }, "m2m_100");
        Refuses<InvalidDataException>(options with { TargetField = "fr" }, "pairs.jsonl:1", "'fr'");
        Refuses<InvalidDataException>(options with { MaxLength = 1 }, "pairs.jsonl:1", "target");
        Refuses<ArgumentException>(options with { MaxLength = 513 }, "maxLength", "512");
        Refuses<InvalidDataException>(options with { Metric = ["multiple-choice"] }, "marian");
        var continues = Train(Tiny() with { MaxSteps = 1, OutputDir = In("gpt2") }).ModelDirectory;
        Refuses<ArgumentException>(options with { Model = continues }, "sourceField", "gpt2");

        // A source that is too long may lose its end.
        Write("long.tsv", $"{string.Concat(Enumerable.Repeat("sea sun ", 20))}\tred\n");
        var cut = options with { Data = [In("long.tsv")], SourceField = null, TargetField = null, MaxLength = 12 };
        Refuses<InvalidDataException>(cut, "long.tsv:1", "truncatePrompt");
        Assert.That(ModelEvaluation.Run(cut with { TruncatePrompt = true }).Single().Score.Value, Is.GreaterThan(1));

        static void Refuses<T>(EvaluationOptions wrong, params string[] parts)
            where T : Exception
        {
            var problem = Assert.Throws<T>(() => ModelEvaluation.Run(wrong))!;
            foreach (var part in parts)
                Assert.That(problem.Message, Does.Contain(part));
        }
    }

    private static double LogProbability(float[] logits, int token)
    {
        var most = (double)logits.Max();
        return logits[token] - most - Math.Log(logits.Sum(logit => Math.Exp(logit - most)));
    }
}
