using System.Text;
using Ingot.Scoring;
using NUnit.Framework;

namespace Ingot.Tests.Scoring;

/// <summary>Multiple choice against a model in double precision, with lm-eval-harness's rules written out.</summary>
public sealed class MultipleChoiceMeterTests : ByteModelTests
{
    [Test]
    public void ChoicesAreScoredBehindTheirContext()
    {
        (string Question, string[] Choices, int Answer)[] items =
        [
            ("Who?", ["me", "you and I", "größer"], 1),
            ("", ["a", "bcd"], 0),
            ("trailing \n", ["x", "y"], 1),
            // Longer than the model's 24 positions: it loses its beginning.
            ("A question that is too long", ["no", "perhaps"], 0),
        ];
        var path = Write("q.jsonl", string.Concat(items.Select(item => System.Text.Json.JsonSerializer.Serialize(
            new { question = item.Question, choices = item.Choices, answer = item.Answer }) + "\n")));
        var result = MultipleChoiceMeter.Run(Model, [path]);

        var hits = new int[3];
        foreach (var (item, (question, choices, answer)) in result.Items.Zip(items))
        {
            var likelihoods = choices.Select(choice => Continuation(question.Length > 0 ? question : null, " " + choice)).ToArray();
            Assert.That(item.LogLikelihoods, Is.EqualTo(likelihoods).Within(10 * Tolerance));
            Assert.That(item.Bytes, Is.EqualTo(choices.Select(Encoding.UTF8.GetByteCount)));
            Assert.That(item.Characters, Is.EqualTo(choices.Select(choice => choice.Length)));
            double[][] scores =
            [
                likelihoods,
                [.. likelihoods.Zip(choices, (l, choice) => l / choice.Length)],
                [.. likelihoods.Zip(choices, (l, choice) => l / Encoding.UTF8.GetByteCount(choice))],
            ];
            for (var i = 0; i < hits.Length; i++)
                hits[i] += Array.IndexOf(scores[i], scores[i].Max()) == answer ? 1 : 0;
        }

        double[] shares = [result.Accuracy, result.NormalizedAccuracy, result.ByteNormalizedAccuracy];
        Assert.That(shares, Is.EqualTo(hits.Select(count => count / 4.0)));
        var acc = result.ToScores()[0];
        var deviation = Math.Sqrt(((hits[0] * Math.Pow(1 - shares[0], 2)) + ((4 - hits[0]) * Math.Pow(shares[0], 2))) / 3);
        Assert.That((acc.Name, acc.Value), Is.EqualTo(("acc", shares[0])));
        Assert.That(acc.Measures["stderr"], Is.EqualTo(deviation / 2).Within(1e-12));
        Assert.That(acc.Signature.ToString(),
            Is.EqualTo("prompt:question/query|delim:\" \"|bos:no|shots:0|ctx:24|precision:fp32|version:lm-eval-0.4+ingot"));
    }

    // Which log-likelihood belongs to which choice decides: the right one is the third, however it is named.
    [TestCase("""{"query": "q", "choices": ["1", "2", "0"], "gold": "0"}""", 2)]
    [TestCase("""{"query": "q", "endings": ["a b", "c d", "e f"], "label": "2"}""", 2)]
    [TestCase("""{"question": "q", "choices": ["a", "b", "c"], "answer": "C"}""", 2)]
    [TestCase("""{"question": "q", "choices": {"text": ["a", "b", "c"], "label": ["2", "3", "1"]}, "answerKey": "1"}""", 2)]
    [TestCase("""{"question": "q", "choices": ["a", "b", "c"], "answer": "c"}""", 2)]
    public void TheAnswerIsALabelATextANumberOrALetter(string question, int answer) => Assert.That(
        MultipleChoiceMeter.Run(Model, [Write("q.jsonl", question)]).Items.Single().Answer, Is.EqualTo(answer));

    [Test]
    public void ATemplateMakesThePrompt()
    {
        var path = Write("q.json", """[{"q": "one", "c": ["a", "b"], "a": 0}, {"q": "two", "c": ["a", "b"], "a": 0}]""");
        var options = new MultipleChoiceOptions
        {
            PromptTemplate = "Q: {{ q }}\nA:",
            ChoicesField = "c",
            AnswerField = "a",
            TargetDelimiter = "",
        };
        var items = MultipleChoiceMeter.Run(Model, [path], options).Items;
        string[] choices = ["a", "b"];
        Assert.That(items[1].LogLikelihoods, Is.EqualTo(choices.Select(choice => Continuation("Q: two\nA:", choice))).Within(Tolerance));
        Assert.That(() => MultipleChoiceMeter.Run(Model, [path], options with { PromptTemplate = "Q: {{ question }}" }),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains("writes the same for all 2 records"));
    }

    [TestCase("""{"query": "q", "choices": ["a", "b"]}""",
        "no \"answer\" or \"gold\" or \"answerKey\" or \"label\" among the fields \"query\", \"choices\"")]
    [TestCase("""{"query": "q", "choices": ["a", "b"], "answer": 2}""", "the answer 2 is none of the 2 choices")]
    [TestCase("""{"query": "q", "choices": ["a", "b"], "answer": "x"}""", "the answer \"x\" is none")]
    [TestCase("""{"query": "q", "choices": ["a", ""], "answer": 0}""", "choice 2 is empty")]
    [TestCase("""{"query": "q", "choices": ["a", 3], "answer": 0}""", "no list of texts")]
    [TestCase("""{"query": 7, "choices": ["a", "b"], "answer": 0}""", "\"question\" is no text")]
    [TestCase("""{"query": "q", "choices": ["a", "a text of more than twenty-four"], "answer": 0}""",
        "more than the 24 that the model reads")]
    [TestCase("""["q"]""", "an object is expected")]
    [TestCase("""{"query": """, "not valid JSON")]
    public void WhatIsWrongIsNamed(string question, string message)
    {
        var path = Write("q.jsonl", question);
        Assert.That(() => MultipleChoiceMeter.Run(Model, [path]),
            Throws.TypeOf<InvalidDataException>().With.Message.StartsWith($"{path}:1: ").And.Message.Contains(message));
    }

    /// <summary>log p of what goes on from a context, as the harness has it; without a context behind the end of text.</summary>
    private double Continuation(string? context, string continuation)
    {
        var kept = context?.TrimEnd();
        int[] tokens = [.. context is null ? [Bytes.End] : Bytes.Tokenizer.Encode(kept!),
            .. Bytes.Tokenizer.Encode(context?[kept!.Length..] + continuation)];
        var count = Encoding.UTF8.GetByteCount(context?[kept!.Length..] + continuation);
        return Bytes.LogProbabilities([.. tokens.TakeLast(25)]).TakeLast(count).Sum();
    }
}
